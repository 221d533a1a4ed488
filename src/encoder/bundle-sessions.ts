/**
 * The sessions of a bundle, and the tensors that go in and out of them (`bundle/manifest.ts` documents the graphs). Runs
 * in a worker thread.
 *
 * Legend: B items of a batch, T tokens or frames, n samples, S side of the square picture, D width of an embedding.
 */
import { join } from 'node:path'
import type { AudioSpec, BundleManifest } from '../bundle/manifest.ts'
import type { Modality } from '../modality.ts'
import type { AudioInput, EncoderInput, ImageInput, TextInput } from './encoder.ts'
import { paddedTokens } from './input-limits.ts'
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

  /** Opens every graph of the bundle. Rejects with the reason if one cannot be opened. */
  async open(): Promise<void> {
    const { text, image, audio } = this.manifest
    const files = [text?.graph, image?.preprocessGraph, image?.graph, audio?.graph]
    for (const file of files) if (file) await this.graph(file)
  }

  /** One embedding float32 (D) for each input, all of them of this modality; equal lengths where they are sounds. */
  async encode(modality: Modality, inputs: readonly EncoderInput[]): Promise<Float32Array[]> {
    const embedding = await this.embed(modality, inputs) // (B, D)
    const [rows, width] = embedding.dims as [number, number]
    const values = embedding.data as Float32Array
    if (rows !== inputs.length || !values.every(Number.isFinite)) {
      throw new Error('The model gave values that are not finite; check the input.')
    }
    return Array.from({ length: rows }, (_, i) => values.slice(i * width, (i + 1) * width))
  }

  private embed(modality: Modality, inputs: readonly EncoderInput[]): Promise<TensorData> {
    if (modality === 'text') return this.text(inputs as readonly TextInput[])
    if (modality === 'image') return this.image(inputs as readonly ImageInput[])
    return this.audio(inputs as readonly AudioInput[])
  }

  private async text(inputs: readonly TextInput[]): Promise<TensorData> {
    const spec = this.manifest.text!
    const width = Math.max(...inputs.map(({ tokenIds }) => paddedTokens(tokenIds.length, spec)))
    const ids = new BigInt64Array(inputs.length * width).fill(PAD)
    inputs.forEach(({ tokenIds }, row) => {
      ids.set(tokenIds.map(BigInt), row * width)
    })
    return this.run(spec.graph, { src_tokens: { dtype: 'int64', dims: [inputs.length, width], data: ids } }) // (B, T)
  }

  private async image(inputs: readonly ImageInput[]): Promise<TensorData> {
    const spec = this.manifest.image!
    const side = spec.sizePx
    const pictures = new Float32Array(inputs.length * 3 * side * side)
    for (const [row, { width, height, data }] of inputs.entries()) {
      const image: TensorData = { dtype: 'uint8', dims: [height, width, 3], data } // (H, W, 3)
      const prepared = await this.run(spec.preprocessGraph, { image }, 'src_images') // (1, 3, S, S)
      pictures.set(prepared.data as Float32Array, row * 3 * side * side)
    }
    const src_images: TensorData = { dtype: 'float32', dims: [inputs.length, 3, side, side], data: pictures } // (B, 3, S, S)
    return this.run(spec.graph, { src_images })
  }

  private async audio(inputs: readonly AudioInput[]): Promise<TensorData> {
    const spec = this.manifest.audio!
    const samples = inputs[0]!.waveform.length
    const waves = new Float32Array(inputs.length * samples)
    inputs.forEach(({ waveform }, row) => {
      waves.set(waveform, row * samples)
    })
    const positions = frameCount(samples, spec) + 1
    const mask = new Uint8Array(inputs.length * positions) // nothing is padding
    return this.run(spec.graph, {
      src_audios: { dtype: 'float32', dims: [inputs.length, samples], data: waves }, // (B, n)
      audio_padding_masks: { dtype: 'bool', dims: [inputs.length, positions], data: mask }, // (B, T+1)
    })
  }

  private async run(file: string, inputs: Record<string, TensorData>, output = 'embedding'): Promise<TensorData> {
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

/** T: frames that the convolutions make of n samples (spec §7). */
export function frameCount(samples: number, { convLayers }: AudioSpec): number {
  return convLayers.reduce((n, { kernel, stride }) => Math.floor((n - kernel) / stride) + 1, samples)
}
