/** The inputs of a golden case as tensors: given, or put together from the prepared arrays of its media. */
import type { TensorData } from '../encoder/onnx-session.ts'
import type { Modality } from '../modality.ts'
import { type GoldenCase, type Goldens, GoldensError } from './goldens.ts'
import type { NpyArray } from './npy.ts'

export type Tensors = Record<string, TensorData>

/** Every array keeps the golden's own batch and padding. @throws GoldensError where one is missing */
export async function inputsOf(
  golden: GoldenCase,
  goldens: Goldens,
  modalities: readonly Modality[],
): Promise<Tensors> {
  const tensors = await Promise.all(modalities.map((modality) => INPUTS[modality](golden, goldens)))
  return Object.assign({}, ...tensors) as Tensors
}

const INPUTS: Record<Modality, (golden: GoldenCase, goldens: Goldens) => Promise<Tensors>> = {
  text: async (golden, goldens) => ({
    src_tokens: await tensor(goldens.input(golden, 'src_tokens'), golden, 'src_tokens'),
  }),
  image: async (golden, goldens) => {
    const given = await goldens.input(golden, 'src_images')
    const second = await goldens.input(golden, 'src_images_2')
    const src_images = given ? toTensor(given) : stack(await mediaArrays(golden, goldens, 'tensor'))
    return second ? { src_images, src_images_2: toTensor(second) } : { src_images }
  },
  audio: async (golden, goldens) => {
    const waveforms = await goldens.input(golden, 'src_audios')
    const masks =
      (await goldens.input(golden, 'audio_padding_masks')) ?? (await goldens.output(golden, 'audio_padding_masks'))
    return {
      src_audios: waveforms ? toTensor(waveforms) : padToLongest(await mediaArrays(golden, goldens, 'feats')),
      audio_padding_masks: { ...(await tensor(masks, golden, 'audio_padding_masks')), dtype: 'bool' },
    }
  },
}

function mediaArrays(golden: GoldenCase, goldens: Goldens, name: string): Promise<NpyArray[]> {
  const files = golden.files ?? []
  return Promise.all(files.map((file) => required(goldens.mediaArray(file, name), golden, `${name} of ${file}`)))
}

/** @throws GoldensError if the array is not there */
export async function required(
  array: Promise<NpyArray | undefined> | NpyArray | undefined,
  golden: GoldenCase,
  what: string,
): Promise<NpyArray> {
  const found = await array
  if (!found) throw new GoldensError(`The golden case ${golden.name} lacks ${what}.`)
  return found
}

async function tensor(
  array: Promise<NpyArray | undefined> | NpyArray | undefined,
  golden: GoldenCase,
  what: string,
): Promise<TensorData> {
  return toTensor(await required(array, golden, what))
}

function toTensor({ dtype, shape, data }: NpyArray): TensorData {
  return { dtype, dims: shape, data }
}

/** (…) × B → (B, …) */
function stack(arrays: readonly NpyArray[]): TensorData {
  const size = arrays[0]!.data.length
  const data = new Float32Array(arrays.length * size)
  for (const [index, array] of arrays.entries()) data.set(array.data as Float32Array, index * size)
  return { dtype: 'float32', dims: [arrays.length, ...arrays[0]!.shape], data }
}

/** Waveforms (n_i) → (B, max n), padded with zeros at the end. */
function padToLongest(arrays: readonly NpyArray[]): TensorData {
  const longest = Math.max(...arrays.map(({ data }) => data.length))
  const data = new Float32Array(arrays.length * longest)
  for (const [index, array] of arrays.entries()) data.set(array.data as Float32Array, index * longest)
  return { dtype: 'float32', dims: [arrays.length, longest], data }
}

/** (B, …) → (B·times, …), every row so many times in succession. */
export function repeatRows({ dtype, dims, data }: TensorData, times: number): TensorData {
  const [rows, ...shape] = dims as [number, ...number[]]
  const size = data.length / rows
  const Kind = data.constructor as new (length: number) => typeof data
  const out = new Kind(data.length * times)
  for (let row = 0; row < rows * times; row++) {
    const source = data.subarray(Math.floor(row / times) * size, (Math.floor(row / times) + 1) * size)
    out.set(source as never, row * size)
  }
  return { dtype, dims: [rows * times, ...shape], data: out }
}
