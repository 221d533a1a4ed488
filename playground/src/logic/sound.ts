/** Samples to what is drawn and to what is sent. */

/** The loudest sample of each of `count` equal stretches, 0 to 1 of the loudest of all. */
export function peaksOf(samples: Float32Array, count: number): number[] {
  const length = samples.length / count
  const peaks = Array.from({ length: count }, (_, i) => {
    let peak = 0
    const end = Math.max(Math.floor((i + 1) * length), Math.floor(i * length) + 1)
    for (let s = Math.floor(i * length); s < end && s < samples.length; s++)
      peak = Math.max(peak, Math.abs(samples[s]!))
    return peak
  })
  const loudest = Math.max(...peaks)
  return loudest === 0 ? peaks : peaks.map((peak) => peak / loudest)
}

/** WAV, 16 bit, mono. */
export function wavOf(blocks: readonly Float32Array[], sampleRateHz: number): Uint8Array<ArrayBuffer> {
  const count = blocks.reduce((sum, block) => sum + block.length, 0)
  const bytes = new Uint8Array(44 + 2 * count)
  const view = new DataView(bytes.buffer)
  const ascii = (at: number, text: string) =>
    bytes.set(
      Array.from(text, (char) => char.charCodeAt(0)),
      at,
    )
  ascii(0, 'RIFF')
  view.setUint32(4, 36 + 2 * count, true)
  ascii(8, 'WAVEfmt ')
  view.setUint32(16, 16, true)
  view.setUint16(20, 1, true) // PCM
  view.setUint16(22, 1, true) // channels
  view.setUint32(24, sampleRateHz, true)
  view.setUint32(28, 2 * sampleRateHz, true)
  view.setUint16(32, 2, true)
  view.setUint16(34, 16, true)
  ascii(36, 'data')
  view.setUint32(40, 2 * count, true)
  let at = 44
  for (const block of blocks) {
    for (const sample of block) {
      view.setInt16(at, Math.round(Math.max(-1, Math.min(1, sample)) * 32767), true)
      at += 2
    }
  }
  return bytes
}
