/** What a sample for a head must look like, and what it costs. */
import type { BundleManifest, HeadRole, HeadSpec } from '../bundle/manifest.ts'
import { DomainError } from '../errors.ts'
import type { EncoderInput, HeadInfo, HeadInputs } from './encoder.ts'
import { checkShape } from './input-limits.ts'

/** The heads of a bundle, as the port shows them. */
export function headsOf({ heads = [] }: BundleManifest): HeadInfo[] {
  return heads.map(({ name, task, inputs, classes, labels, image }) => ({
    name,
    task,
    inputs,
    classes,
    ...(labels && { labels }),
    ...(image && { imageSizePx: image.sizePx }),
  }))
}

/** @throws DomainError `not-found` */
export function findHead({ name: model, heads = [] }: BundleManifest, name: string): HeadSpec {
  const head = heads.find((one) => one.name === name)
  if (head) return head
  const able = heads.map((one) => one.name).join(', ') || 'none'
  throw new DomainError('not-found', `The model ${model} has no head '${name}'; it has ${able}.`)
}

/**
 * The inputs of a sample in the order of the head's roles.
 * @throws DomainError `input-too-long`, `media-too-large`
 * @throws TypeError if an input is missing, of another modality or malformed, which is a defect of the caller
 */
export function orderInputs(inputs: HeadInputs, head: HeadSpec): EncoderInput[] {
  const given = Object.keys(inputs) as HeadRole[]
  const stray = given.find((role) => !head.inputs.includes(role))
  if (stray !== undefined) throw new TypeError(`The head ${head.name} takes no ${stray}.`)
  return head.inputs.map((role) => {
    const input = inputs[role]
    if (input?.modality !== (role === 'image2' ? 'image' : role)) {
      throw new TypeError(`The head ${head.name} takes ${head.inputs.join(', ')}; its ${role} is missing.`)
    }
    checkShape(input, head)
    return input
  })
}

const BYTES_PER_TOKEN = 8
const BYTES_PER_SAMPLE = 4

/** Memory that the inputs of a sample take. */
export function bytesOf(inputs: readonly EncoderInput[]): number {
  return inputs.reduce((sum, input) => {
    if (input.modality === 'text') return sum + input.tokenIds.length * BYTES_PER_TOKEN
    return sum + (input.modality === 'image' ? input.data.length : input.waveform.length * BYTES_PER_SAMPLE)
  }, 0)
}
