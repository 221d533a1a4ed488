/**
 * The sessions of a bundle, and the tensors that go in and out of them (`bundle/manifest.ts` documents the graphs). Runs
 * in a worker thread.
 *
 * Legend: B items of a batch, T tokens or frames, n samples, S side of the square picture, D width of an embedding.
 */
import { join } from 'node:path'
import type { BundleManifest, HeadSpec, InputSpecs, PictureInput, SoundInput, TextLimits } from '../bundle/manifest.ts'
import type { Modality } from '../modality.ts'
import type { AudioInput, EncoderInput, HeadOutput, ImageInput, TextInput } from './encoder.ts'
import { frameCount, paddedTokens } from './input-limits.ts'
import { type GraphSession, openGraph, type SessionOptions, type TensorData } from './onnx-session.ts'

/** Id of `<pad>` in the dictionary (spec §10). */
const PAD = 1n

export class BundleSessions {
  private readonly graphs = new Map<string, Promise<GraphSession>>()

  constructor(
    private readonly dir: string,
    private readonly manifest: BundleManifest,
    private readonly options: SessionOptions,
  ) {}

  /** Opens the graphs that embed a modality. Rejects with the reason if one cannot be opened. */
  async open(modality: Modality): Promise<void> {
    const { image } = this.manifest
    const files = [modality === 'image' && image?.preprocessGraph, this.manifest[modality]?.graph]
    for (const file of files) if (file) await this.graph(file)
  }

  /** One embedding float32 (D) for each input, all of them of this modality; equal lengths where they are sounds. */
  async encode(modality: Modality, inputs: readonly EncoderInput[]): Promise<Float32Array[]> {
    const embedding = await this.embed(modality, inputs) // (B, D)
    const [rows, width] = embedding.dims as [number, number]
    const values = finite(embedding)
    return Array.from({ length: rows }, (_, i) => values.slice(i * width, (i + 1) * width))
  }

  /** Opens the graphs of a head. Rejects with the reason if one cannot be opened. */
  async openHead(name: string): Promise<void> {
    const { graph, image } = this.head(name)
    for (const file of [image?.preprocessGraph, graph]) if (file) await this.graph(file)
  }

  /** What the head says of one sample, an input for each of its roles in their order. */
  async runHead(name: string, inputs: readonly EncoderInput[]): Promise<HeadOutput> {
    const head = this.head(name)
    const tensors: Record<string, TensorData> = {}
    for (const [i, role] of head.inputs.entries()) {
      const given = await this.tensors([inputs[i]!], head)
      if (role === 'image2') tensors.src_images_2 = given.src_images!
      else Object.assign(tensors, given)
    }
    const outputs = head.task === 'grounding' ? ['logits', 'boxes'] : ['logits']
    const { logits, boxes } = await (await this.graph(head.graph)).run(tensors, outputs)
    return {
      logits: finite(logits!).slice(),
      dims: logits!.dims.slice(1),
      ...(boxes && { boxes: finite(boxes).slice() }),
    }
  }

  /** Opens a graph that resizes. */
  async openGraph(file: string): Promise<void> {
    await this.graph(file)
  }

  /** The picture as the square that `preprocessGraph` makes of it before it normalises, uint8 (S, S, 3). */
  async resize({ width, height, data }: ImageInput, preprocessGraph: string): Promise<ImageInput> {
    const image: TensorData = { dtype: 'uint8', dims: [height, width, 3], data } // (H, W, 3)
    const resized = await this.run(preprocessGraph, { image }, 'resized') // (S, S, 3)
    const [rows, columns] = resized.dims as [number, number]
    return { modality: 'image', width: columns, height: rows, data: (resized.data as Uint8Array).slice() }
  }

  private head(name: string): HeadSpec {
    const head = this.manifest.heads?.find((one) => one.name === name)
    if (!head) throw new Error(`The bundle has no head ${name}.`)
    return head
  }

  private async embed(modality: Modality, inputs: readonly EncoderInput[]): Promise<TensorData> {
    const tensors = await this.tensors(inputs, this.manifest)
    return this.run(this.manifest[modality]!.graph, tensors, 'embedding')
  }

  /** Inputs of one modality as a batch for a graph that takes them as `specs` says. */
  private async tensors(inputs: readonly EncoderInput[], specs: InputSpecs): Promise<Record<string, TensorData>> {
    const { modality } = inputs[0]!
    if (modality === 'text') return textTensors(inputs as readonly TextInput[], specs.text!)
    if (modality === 'image') return this.imageTensors(inputs as readonly ImageInput[], specs.image!)
    return audioTensors(inputs as readonly AudioInput[], specs.audio!)
  }

  private async imageTensors(inputs: readonly ImageInput[], spec: PictureInput): Promise<Record<string, TensorData>> {
    const side = spec.sizePx
    const pictures = new Float32Array(inputs.length * 3 * side * side)
    for (const [row, { width, height, data }] of inputs.entries()) {
      const image: TensorData = { dtype: 'uint8', dims: [height, width, 3], data } // (H, W, 3)
      const prepared = await this.run(spec.preprocessGraph, { image }, 'src_images') // (1, 3, S, S)
      pictures.set(prepared.data as Float32Array, row * 3 * side * side)
    }
    return { src_images: { dtype: 'float32', dims: [inputs.length, 3, side, side], data: pictures } } // (B, 3, S, S)
  }

  private async run(file: string, inputs: Record<string, TensorData>, output: string): Promise<TensorData> {
    const graph = await this.graph(file)
    return (await graph.run(inputs, [output]))[output]!
  }

  private graph(file: string): Promise<GraphSession> {
    const known = this.graphs.get(file)
    if (known) return known
    const opening = openGraph(join(this.dir, file), this.options)
    this.graphs.set(file, opening)
    opening.catch(() => this.graphs.delete(file))
    return opening
  }
}

function finite({ data }: TensorData): Float32Array {
  const values = data as Float32Array
  if (values.every(Number.isFinite)) return values
  throw new Error('The model gave values that are not finite; check the input.')
}

function textTensors(inputs: readonly TextInput[], limits: TextLimits): Record<string, TensorData> {
  const width = Math.max(...inputs.map(({ tokenIds }) => paddedTokens(tokenIds.length, limits)))
  const ids = new BigInt64Array(inputs.length * width).fill(PAD)
  inputs.forEach(({ tokenIds }, row) => {
    ids.set(tokenIds.map(BigInt), row * width)
  })
  return { src_tokens: { dtype: 'int64', dims: [inputs.length, width], data: ids } } // (B, T)
}

/** The sounds are of equal length, so nothing is padding. */
function audioTensors(inputs: readonly AudioInput[], spec: SoundInput): Record<string, TensorData> {
  const samples = inputs[0]!.waveform.length
  const waves = new Float32Array(inputs.length * samples)
  inputs.forEach(({ waveform }, row) => {
    waves.set(waveform, row * samples)
  })
  const positions = frameCount(samples, spec) + 1
  const mask = new Uint8Array(inputs.length * positions)
  return {
    src_audios: { dtype: 'float32', dims: [inputs.length, samples], data: waves }, // (B, n)
    audio_padding_masks: { dtype: 'bool', dims: [inputs.length, positions], data: mask }, // (B, T+1)
  }
}
