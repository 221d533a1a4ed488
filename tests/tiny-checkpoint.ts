/** Random checkpoints of the smallest size that have every part, as safetensors files, with a dictionary that fits them. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Modality } from '../src/modality.ts'
import type { ModelConfig } from '../src/model/config.ts'
import type { ClassifyHead, HeadConfig } from '../src/model/head-config.ts'
import { planTensors } from '../src/model/tensors.ts'

export const TINY: ModelConfig = {
  embedDim: 8,
  ffnEmbedDim: 12,
  layers: 2,
  attentionHeads: 2,
  modalities: ['text', 'image', 'audio'],
  relPosTables: 1,
  text: { vocabSize: 4 + 256, maxPositions: 80, bucketSize: 8, typeEmbedding: false },
  image: { stemChannels: 2, bucketSize: 2, storedRelBucketSize: 2, relBucketSize: 2, typeEmbedding: false },
  audio: {
    convLayers: [10, 3, 3, 3, 3, 2, 2].map((kernel, i) => ({ channels: 4, kernel, stride: i === 0 ? 5 : 2 })),
    convPosDepth: 2,
    convPosKernel: 3,
    convPosGroups: 2,
    bucketSize: 8,
    typeEmbedding: false,
  },
}

export type Tensors = Map<string, { shape: readonly number[]; values: Float32Array }>

/** A fine-tuned TINY with these branches, the last of them pooled unless told, and one relative table a layer. */
export function tinyHead(
  modalities: readonly Modality[],
  head: Partial<ClassifyHead> | { segments: number },
): ModelConfig {
  const { text, image, audio, ...shared } = TINY
  const has = (modality: Modality) => modalities.includes(modality)
  const typed = { typeEmbedding: 'twoImages' in head }
  return {
    ...shared,
    modalities,
    relPosTables: TINY.layers,
    ...(has('text') && { text: { ...text!, ...typed } }),
    ...(has('image') && { image: { ...image!, ...typed } }),
    ...(has('audio') && { audio: audio! }),
    head: 'segments' in head ? { kind: 'segment', classes: head.segments } : classifier(modalities, head),
  }
}

function classifier(modalities: readonly Modality[], head: Partial<ClassifyHead>): HeadConfig {
  const usual = { classes: 3, innerDim: 10, attnPooling: true, pooler: false, twoImages: false, pooled: modalities[0]! }
  return { kind: 'classify', ...usual, ...head }
}

/** Tensors of a fine-tuned checkpoint whose trunk is that of `trunk`, its one relative table copied to every layer. */
export function onTrunk(trunk: Tensors, config: ModelConfig, seed: number): Tensors {
  const shared = (name: string) => trunk.get(name) ?? trunk.get(name.replace(/_list\.\d+\./, '_list.0.'))
  return new Map([...tinyTensors(config, seed)].map(([name, own]) => [name, shared(name) ?? own]))
}

/** Values that are neither 0 nor 1 anywhere, from a fixed sequence. */
export function tinyTensors(config: ModelConfig = TINY, seed = 1): Tensors {
  let state = seed
  const next = () => {
    state = (state * 48271) % 2147483647
    return state / 2147483647 - 0.5
  }
  return new Map(
    planTensors(config).map(({ name, shape }) => {
      const length = shape.reduce((product, side) => product * side, 1)
      return [name, { shape, values: Float32Array.from({ length }, next) }]
    }),
  )
}

export async function writeSafetensors(path: string, tensors: Tensors, cfg: unknown = {}): Promise<void> {
  const header: Record<string, unknown> = { __metadata__: { cfg: JSON.stringify(cfg) } }
  let offset = 0
  for (const [name, { shape, values }] of tensors) {
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + values.byteLength] }
    offset += values.byteLength
  }
  const json = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  const data = [...tensors.values()].map(({ values }) =>
    Buffer.from(values.buffer, values.byteOffset, values.byteLength),
  )
  await writeFile(path, Buffer.concat([length, json, ...data]))
}

/** A tokenizer of the 256 bytes and no merges, in the official files. */
export async function writeTinyBpe(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true })
  const bytes = byteCharacters()
  await writeFile(join(dir, 'encoder.json'), JSON.stringify(Object.fromEntries(bytes.map((char, id) => [char, id]))))
  await writeFile(join(dir, 'vocab.bpe'), '#version: 0.2\n')
  await writeFile(join(dir, 'dict.txt'), bytes.map((_, id) => `${id} 1\n`).join(''))
}

/** GPT-2's printable stand-ins for the 256 bytes. */
function byteCharacters(): string[] {
  const printable = (byte: number) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173)
  let next = 256
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++))
}
