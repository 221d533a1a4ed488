/**
 * What the API and an encoder service say to each other: one frame each way (`frame.ts`).
 *
 *   request  {model, head?, samples: [{timeoutMs?, inputs: [{role, tokens | width, height | samples}]}]}
 *            sections: int32 token ids, uint8 pixels (H, W, 3), float32 waveform
 *   answer   {outcomes: [{values} | {dims, boxes?} | {error: {code?, message, retryAfterS?}}]}
 *            sections: float32 embedding (D), or logits and, of grounding, boxes
 */
import { DomainError, ERROR_CODES, type ErrorCode } from '../../errors.ts'
import type { EncoderInput, HeadInputs, HeadOutput } from '../encoder.ts'
import { frame, isCount, parseFrame, type Sections, WireFormatError } from './frame.ts'

export const CONTENT_TYPE = 'application/vnd.onepeace.tensors'
export const PATHS = { run: '/v1/run', health: '/v1/health' }
/** Bears the secret where `authorization` bears a signature. */
export const SECRET_HEADER = 'x-encoder-secret'

/** What comes of a sample: an embedding, or what a head says. */
export type Result = Float32Array | HeadOutput

/** One input to embed, or what a head takes. `timeoutMs`: time left, whole ms. */
export interface Sample {
  inputs: HeadInputs
  timeoutMs?: number
}

export interface RunRequest {
  /** Hash of the bundle that the sender prepared the inputs for. */
  model: string
  /** The head to run; absent to embed, when each sample has one input. */
  head?: string
  samples: Sample[]
}

/** An error without a code is a defect. */
export interface WireError {
  code?: ErrorCode
  message: string
  retryAfterS?: number
}

type Role = keyof HeadInputs
type InputHeader = { role: Role; tokens?: number; samples?: number; width?: number; height?: number }
type SampleHeader = { timeoutMs?: number; inputs: InputHeader[] }
type OutcomeHeader = { values: number } | { dims: number[]; boxes?: number } | { error: WireError }

export function encodeRequest({ model, head, samples }: RunRequest): Buffer {
  const sections: ArrayBufferView[] = []
  const headers = samples.map(({ inputs, timeoutMs }): SampleHeader => {
    const roles = Object.entries(inputs) as [Role, EncoderInput][]
    return {
      ...(timeoutMs !== undefined && { timeoutMs }),
      inputs: roles.map(([role, input]) => inputHeader(role, input, sections)),
    }
  })
  return frame({ model, ...(head !== undefined && { head }), samples: headers }, sections)
}

function inputHeader(role: Role, input: EncoderInput, sections: ArrayBufferView[]): InputHeader {
  if (input.modality === 'text') {
    sections.push(Int32Array.from(input.tokenIds))
    return { role, tokens: input.tokenIds.length }
  }
  if (input.modality === 'image') {
    sections.push(input.data)
    return { role, width: input.width, height: input.height }
  }
  sections.push(input.waveform)
  return { role, samples: input.waveform.length }
}

/** Pixels and waveforms are views of the frame. @throws WireFormatError */
export function decodeRequest(bytes: Uint8Array): RunRequest {
  const { header, sections } = parseFrame(bytes)
  const { model, head, samples } = header as Partial<RunRequest> & { samples?: SampleHeader[] }
  if (typeof model !== 'string' || !(head === undefined || typeof head === 'string') || !Array.isArray(samples)) {
    throw new WireFormatError('The header names no model and samples.')
  }
  const read = samples.map((sample): Sample => {
    if (!Array.isArray(sample?.inputs)) throw new WireFormatError('A sample has no inputs.')
    const inputs = Object.fromEntries(sample.inputs.map((input) => [input?.role, inputOf(input, sections)]))
    const { timeoutMs } = sample
    if (timeoutMs !== undefined && !isCount(timeoutMs)) throw new WireFormatError('A timeout is no number of ms.')
    return { inputs, ...(timeoutMs !== undefined && { timeoutMs }) }
  })
  sections.end()
  return { model, ...(head !== undefined && { head }), samples: read }
}

function inputOf(header: InputHeader, sections: Sections): EncoderInput {
  const { role, tokens, samples, width, height } = header ?? {}
  if (role === 'text') return { modality: 'text', tokenIds: [...sections.int32(tokens)] }
  if (role === 'audio') return { modality: 'audio', waveform: sections.float32(samples) }
  if (role !== 'image' && role !== 'image2') throw new WireFormatError(`An input has the unknown role '${role}'.`)
  if (!isCount(width) || !isCount(height)) throw new WireFormatError('A picture has no width and height.')
  return { modality: 'image', width, height, data: sections.uint8(width * height * 3) }
}

export function encodeAnswer(outcomes: readonly PromiseSettledResult<Result>[]): Buffer {
  const sections: ArrayBufferView[] = []
  const headers = outcomes.map((outcome): OutcomeHeader => {
    if (outcome.status === 'rejected') return { error: wireErrorOf(outcome.reason) }
    const { value } = outcome
    if (value instanceof Float32Array) {
      sections.push(value)
      return { values: value.length }
    }
    sections.push(value.logits, ...(value.boxes ? [value.boxes] : []))
    return { dims: [...value.dims], ...(value.boxes && { boxes: value.boxes.length }) }
  })
  return frame({ outcomes: headers }, sections)
}

/** Each result has memory of its own. @throws WireFormatError */
export function decodeAnswer(bytes: Uint8Array, count: number): PromiseSettledResult<Result>[] {
  const { header, sections } = parseFrame(bytes)
  const { outcomes } = header as { outcomes?: OutcomeHeader[] }
  if (!Array.isArray(outcomes) || outcomes.length !== count) {
    throw new WireFormatError(`The answer does not hold ${count} outcomes.`)
  }
  const read = outcomes.map((outcome): PromiseSettledResult<Result> => {
    if ('error' in outcome) return { status: 'rejected', reason: errorOf(outcome.error) }
    if ('values' in outcome) return { status: 'fulfilled', value: sections.float32(outcome.values).slice() }
    const { dims, boxes } = outcome
    if (!Array.isArray(dims)) throw new WireFormatError('An outcome is neither a result nor an error.')
    const logits = sections.float32(dims.reduce((product, dim) => product * dim, 1)).slice()
    return {
      status: 'fulfilled',
      value: { logits, dims, ...(boxes !== undefined && { boxes: sections.float32(boxes).slice() }) },
    }
  })
  sections.end()
  return read
}

export function wireErrorOf(error: unknown): WireError {
  const message = error instanceof Error ? error.message : String(error)
  if (!(error instanceof DomainError)) return { message }
  const { code, retryAfterS } = error
  return { code, message, ...(retryAfterS !== undefined && { retryAfterS }) }
}

/** @returns DomainError, or a plain Error for a defect */
export function errorOf({ code, message, retryAfterS }: WireError): Error {
  const known = ERROR_CODES.find((one) => one === code)
  if (known === undefined) return new Error(`The encoder service failed: ${message}`)
  return new DomainError(known, message, { ...(retryAfterS !== undefined && { retryAfterS }) })
}
