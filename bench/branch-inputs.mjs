/** Inputs of the three branches' graphs, always the same: 32 tokens, a picture, 5 s of sound. A part of other measurements. */

const SAMPLES = 80_000

/** Uniform in -1.7 … 1.7, of standard deviation 1, from a fixed sequence. */
function* noise(seed) {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    yield (state / 2 ** 31 - 1) * Math.sqrt(3)
  }
}

function floats(length, seed) {
  const source = noise(seed)
  return Float32Array.from({ length }, () => source.next().value)
}

/** Tensors of `batch` items for a branch of the bundle with this manifest. */
export function branchInputs(modality, batch, manifest) {
  if (modality === 'text') {
    const ids = floats(batch * 32, 1).map(
      (value) => 4 + (Math.abs(Math.floor(value * 1e6)) % (manifest.text.vocabSize - 4)),
    )
    return { src_tokens: { dtype: 'int64', dims: [batch, 32], data: BigInt64Array.from(ids, BigInt) } }
  }
  if (modality === 'image') {
    const side = manifest.image.sizePx
    return { src_images: { dtype: 'float32', dims: [batch, 3, side, side], data: floats(batch * 3 * side * side, 2) } }
  }
  const frames = manifest.audio.convLayers.reduce(
    (n, { kernel, stride }) => Math.floor((n - kernel) / stride) + 1,
    SAMPLES,
  )
  return {
    src_audios: { dtype: 'float32', dims: [batch, SAMPLES], data: floats(batch * SAMPLES, 3) },
    audio_padding_masks: { dtype: 'bool', dims: [batch, frames + 1], data: new Uint8Array(batch * (frames + 1)) },
  }
}
