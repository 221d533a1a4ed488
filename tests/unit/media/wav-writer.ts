/** Makes small WAV files for tests: integers of 8 to 32 bits and floats, plain or "extensible". */
export interface WavOptions {
  sampleRateHz?: number
  channels?: number
  bits?: 8 | 16 | 24 | 32
  isFloat?: boolean
  isExtensible?: boolean
}

/** @param samples interleaved, integers as they are to be stored, or floats */
export function writeWav(samples: readonly number[], options: WavOptions = {}): Uint8Array {
  const { sampleRateHz = 16_000, channels = 1, bits = 16, isFloat = false, isExtensible = false } = options
  const step = bits / 8
  const formatBytes = isExtensible ? 40 : 16
  const file = Buffer.alloc(28 + formatBytes + samples.length * step)
  file.write('RIFF', 0)
  file.writeUInt32LE(file.length - 8, 4)
  file.write('WAVEfmt ', 8)
  file.writeUInt32LE(formatBytes, 16)
  file.writeUInt16LE(isExtensible ? 0xfffe : isFloat ? 3 : 1, 20)
  file.writeUInt16LE(channels, 22)
  file.writeUInt32LE(sampleRateHz, 24)
  file.writeUInt32LE(sampleRateHz * channels * step, 28)
  file.writeUInt16LE(channels * step, 32)
  file.writeUInt16LE(bits, 34)
  if (isExtensible) file.writeUInt16LE(isFloat ? 3 : 1, 44)
  const data = 20 + formatBytes
  file.write('data', data)
  file.writeUInt32LE(samples.length * step, data + 4)
  samples.forEach((sample, i) => {
    const at = data + 8 + i * step
    if (isFloat) file.writeFloatLE(sample, at)
    else if (bits === 8) file.writeUInt8(sample + 128, at)
    else file.writeIntLE(sample, at, step)
  })
  return new Uint8Array(file)
}
