/**
 * A random checkpoint of an official shape: what conversion and speed at that size are measured with.
 *
 *   node bench/make-checkpoint.mjs FILE [--shape full|base|smoke] [--dtype bf16|fp16|fp32] [--modalities text,image,audio]
 *
 * `full` is the 4-billion-parameter retrieval model (8 GB in bf16), `base` the one that the official code was timed with
 * (512 wide, 8 layers), `smoke` small enough for a test. Written tensor by tensor; the same call writes the same bytes. A
 * dictionary of as many words (bytes, then words that no text has) is put into the folder FILE.bpe.
 */
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { planTensors } from '../dist/model/tensors.js'
import { writeTorchFile } from './torch-file.mjs'

const conv = (channels) => [10, 3, 3, 3, 3, 2, 2].map((kernel, i) => ({ channels, kernel, stride: i === 0 ? 5 : 2 }))
const grid = (stemChannels, side) => ({
  stemChannels,
  bucketSize: side,
  storedRelBucketSize: side,
  relBucketSize: side,
})
const tokens = { maxPositions: 514, bucketSize: 256 }

/** Sizes of `spec` §2 and §16 of the official models. */
export const SHAPES = {
  full: {
    trunk: { embedDim: 1536, ffnEmbedDim: 6144, layers: 40, attentionHeads: 24 },
    text: { vocabSize: 50264, ...tokens },
    image: grid(384, 16),
    audio: { convLayers: conv(512), convPosDepth: 5, convPosKernel: 19, convPosGroups: 16, bucketSize: 512 },
  },
  base: {
    trunk: { embedDim: 512, ffnEmbedDim: 2048, layers: 8, attentionHeads: 8 },
    text: { vocabSize: 50264, ...tokens },
    image: grid(128, 16),
    audio: { convLayers: conv(512), convPosDepth: 5, convPosKernel: 19, convPosGroups: 16, bucketSize: 512 },
  },
  smoke: {
    trunk: { embedDim: 64, ffnEmbedDim: 128, layers: 2, attentionHeads: 2 },
    text: { vocabSize: 260, maxPositions: 514, bucketSize: 16 },
    image: grid(16, 4),
    audio: { convLayers: conv(32), convPosDepth: 5, convPosKernel: 19, convPosGroups: 16, bucketSize: 32 },
  },
}

/** The configuration of a shape with these branches. */
function shapeConfig(name, modalities = ['text', 'image', 'audio']) {
  const { trunk, ...branches } = SHAPES[name]
  const chosen = modalities.map((modality) => [modality, { ...branches[modality], typeEmbedding: false }])
  return { ...trunk, modalities, relPosTables: 1, ...Object.fromEntries(chosen) }
}

const POOL = 1_000_003
const BYTES = { fp32: 4, fp16: 2, bf16: 2 }

/** Writes the checkpoint. @returns its bytes and how many parameters it has */
export async function makeCheckpoint(path, { shape, dtype, modalities, onBytes }) {
  const config = shapeConfig(shape, modalities)
  const tensors = [...planTensors(config), ...unread(config)].map(({ name, shape: sides }) => ({ name, shape: sides }))
  const pool = normals(POOL)
  const encoded = new Map()
  let turn = 0
  const fill = ({ name, shape: sides }) => {
    const { mean, deviation } = distribution(name, sides)
    const key = `${mean} ${deviation}`
    if (!encoded.has(key)) encoded.set(key, encode(pool, mean, deviation, dtype))
    turn = (turn + 7919) % POOL
    return repeated(encoded.get(key), turn * BYTES[dtype], sides.reduce((a, b) => a * b, 1) * BYTES[dtype])
  }
  await writeTorchFile(path, { cfg: cfgOf(config), tensors, dtype, fill, onBytes })
  if (config.text) await writeDictionary(`${path}.bpe`, config.text.vocabSize)
  const parameters = tensors.reduce((sum, { shape: sides }) => sum + sides.reduce((a, b) => a * b, 1), 0)
  return { bytes: (await stat(path)).size, parameters }
}

/** What official files hold and no graph needs, as far as PyTorch wants it. */
const unread = ({ audio, embedDim }) =>
  audio ? [{ name: 'encoder_wrapper.audio_adapter.mask_embedding', shape: [1, embedDim] }] : []

/** Weights that keep the size of what goes through them; norms near 1 and layer scales well above their initial 1e-6, so that every layer counts. */
function distribution(name, shape) {
  if (/(layer_norm|\.ln|_ffn\.2|\.2\.1|embed_audios\.2)\.weight$/.test(name)) return { mean: 1, deviation: 0.1 }
  if (/gamma_[12]$/.test(name)) return { mean: 0.3, deviation: 0.05 }
  if (
    /bias$|rel_pos_table|embedding|embed_tokens|embed_positions\.weight|pos_embed$|mask/.test(name) ||
    shape.length < 2
  ) {
    return { mean: 0, deviation: 0.02 }
  }
  return { mean: 0, deviation: shape.slice(1).reduce((a, b) => a * b, 1) ** -0.5 }
}

/** Standard normal values from a fixed sequence (Box and Muller). */
function normals(count) {
  let state = 20231
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return (state + 0.5) / 2 ** 32
  }
  return Float32Array.from(
    { length: count },
    () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
  )
}

function encode(pool, mean, deviation, dtype) {
  const values = pool.map((value) => mean + deviation * value)
  if (dtype === 'fp32') return Buffer.from(values.buffer)
  const bits = new Uint32Array(values.buffer)
  if (dtype === 'bf16') return Buffer.from(Uint16Array.from(bits, (word) => word >>> 16).buffer)
  // Normal halves only: what would be less than 2^-14 becomes 0.
  const half = (word) => ((word >>> 16) & 0x8000) | Math.max(0, ((word & 0x7fffffff) - 0x38000000) >> 13)
  return Buffer.from(Uint16Array.from(bits, half).buffer)
}

function repeated(pool, start, bytes) {
  const out = Buffer.allocUnsafe(bytes)
  for (let done = 0, from = start; done < bytes; from = 0) done += pool.copy(out, done, from, from + bytes - done)
  return out
}

/** `cfg` as the official trainer writes it, as far as somebody reads it. */
function cfgOf(config) {
  const { embedDim, ffnEmbedDim, layers, attentionHeads, modalities, text, image, audio } = config
  const shared = { layernorm_embedding: false, add_type_embedding: false }
  const spec = (audio?.convLayers ?? conv(512))
    .map(({ channels, kernel, stride }) => `[(${channels}, ${kernel}, ${stride})]`)
    .join(' + ')
  const encoder = {
    embed_dim: embedDim,
    ffn_embed_dim: ffnEmbedDim,
    layers,
    attention_heads: attentionHeads,
    text_adapter: { ...shared, bucket_size: text?.bucketSize ?? 256 },
    image_adapter: { ...shared, bucket_size: image?.bucketSize ?? 16, rel_bucket_size: image?.relBucketSize ?? 16 },
    audio_adapter: {
      ...shared,
      feature_encoder_spec: spec,
      conv_pos_depth: 5,
      conv_pos_width: 95,
      conv_pos_groups: 16,
      bucket_size: audio?.bucketSize ?? 512,
    },
    magneto_scale_attn: true,
    scale_attn: false,
    scale_fc: true,
    scale_heads: false,
    use_layer_scale: true,
    layer_scale_init_value: 1e-6,
  }
  const kinds = { 'text,image,audio': 'val', 'text,image': 'vl', 'text,audio': 'al' }
  return {
    model: { _name: 'one_peace_retrieval', encoder, copy_rel_pos_table: false },
    task: { patch_image_size: 16 * (image?.relBucketSize ?? 16), head_type: kinds[modalities.join()] ?? modalities[0] },
  }
}

/** The 256 bytes as GPT-2 writes them, and no merges; the four special ids are fairseq's own. */
async function writeDictionary(dir, vocabSize) {
  const printable = (byte) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173)
  let next = 256
  const bytes = Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++))
  await mkdir(dir, { recursive: true })
  await writeFile(`${dir}/encoder.json`, JSON.stringify(Object.fromEntries(bytes.map((char, id) => [char, id]))))
  await writeFile(`${dir}/vocab.bpe`, '#version: 0.2\n')
  const words = Array.from({ length: vocabSize - 4 }, (_, id) => (id < 256 ? `${id} 1\n` : `madeupword${id} 1\n`))
  await writeFile(`${dir}/dict.txt`, words.join(''))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      shape: { type: 'string', default: 'full' },
      dtype: { type: 'string', default: 'bf16' },
      modalities: { type: 'string', default: 'text,image,audio' },
    },
  })
  const start = performance.now()
  const made = await makeCheckpoint(positionals[0], { ...values, modalities: values.modalities.split(',') })
  console.log(
    `${positionals[0]}: ${made.parameters} parameters, ${(made.bytes / 1e9).toFixed(2)} GB in ${((performance.now() - start) / 1000).toFixed(1)} s.`,
  )
}
