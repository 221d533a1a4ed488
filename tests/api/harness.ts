/** The app over a real store in a temporary folder and the real media room, with an encoder that is fake but deterministic. */
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { KeyRing } from '../../src/auth/key-ring.ts'
import { connectModel, connectServices } from '../../src/commands/compose.ts'
import { dataLayout } from '../../src/commands/data-dir.ts'
import { type Files, filesIn } from '../../src/commands/files.ts'
import { startJobWork } from '../../src/commands/job-work.ts'
import type { Encoder, EncoderInput, HeadInfo, HeadInputs, HeadOutput } from '../../src/encoder/encoder.ts'
import { DomainError } from '../../src/errors.ts'
import { buildApp } from '../../src/http/app.ts'
import { Metrics } from '../../src/http/metrics.ts'
import { MediaDecoder } from '../../src/media/decoder.ts'
import type { RemoteFetcher } from '../../src/media/remote-fetch.ts'
import { sniffMedia } from '../../src/media/sniff.ts'
import { AudioPreparer } from '../../src/preprocess/preparer.ts'
import { JournalQueue } from '../../src/queue/journal-queue.ts'
import { QUEUE_OPTIONS } from '../../src/queue/queue.ts'
import { type Admission, DEFAULT_LIMITS, type Limits } from '../../src/services/limits.ts'
import { LanceVectorStore } from '../../src/vectors/lancedb.ts'

export const DIM = 16
export const MODEL = 'fake-nano'

/** A unit vector that depends on nothing but the input; it can be told to fail or to be slow. */
export class FakeEncoder implements Encoder {
  readonly embedDim = DIM
  readonly modalities = ['text', 'image', 'audio'] as const
  heads: HeadInfo[] = []
  /** What `runHead` answers; by default that there is no such head. */
  answer: (name: string, inputs: HeadInputs) => HeadOutput = (name) => {
    throw new DomainError('not-found', `There is no head '${name}'.`)
  }
  seen: EncoderInput[] = []
  failure: Error | undefined
  notReady: Error | undefined
  delayMs = 0
  aborted = 0

  async encode(input: EncoderInput, signal?: AbortSignal): Promise<Float32Array> {
    this.seen.push(input)
    if (this.failure) throw this.failure
    signal?.addEventListener('abort', () => this.aborted++)
    if (this.delayMs > 0) await delay(this.delayMs, signal)
    return vectorOf(input)
  }

  async runHead(name: string, inputs: HeadInputs): Promise<HeadOutput> {
    return this.answer(name, inputs)
  }

  async ready(): Promise<void> {
    if (this.notReady) throw this.notReady
  }

  async close(): Promise<void> {}
}

function delay(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms)
    signal?.addEventListener('abort', () => {
      clearTimeout(timer)
      reject(signal.reason)
    })
  })
}

function vectorOf(input: EncoderInput): Float32Array {
  const hash = createHash('shake128', { outputLength: DIM })
  if (input.modality === 'text') hash.update(JSON.stringify(input.tokenIds))
  else if (input.modality === 'image') hash.update(`${input.width}x${input.height}`).update(input.data)
  else hash.update(new Uint8Array(input.waveform.buffer, input.waveform.byteOffset, input.waveform.byteLength))
  const values = Array.from(hash.digest(), (byte) => byte - 127.5)
  const norm = Math.hypot(...values)
  return Float32Array.from(values, (value) => value / norm)
}

/** One token a word, at most 70, `eos` = 2. */
const tokenizer = {
  encodeDataset: (text: string) => tokenizer.encode(text),
  encodeGrounding: (text: string) => tokenizer.encode(text),
  encodeAqa: (question: string, answer: string) => tokenizer.encode(`${question} ${answer}`),
  encode(text: string) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean)
    const tokenIds = words
      .slice(0, 70)
      .map((word) => 3 + (createHash('md5').update(word).digest().readUInt16LE(0) % 50_000))
    return { tokenIds: [...tokenIds, 2], truncated: words.length > 70 }
  },
}

export interface Harness {
  app: FastifyInstance
  encoder: FakeEncoder
  dir: string
  close(): Promise<void>
}

export interface HarnessOptions {
  limits?: Partial<Limits>
  host?: string
  dir?: string
  /** Elsewhere than in `dir`. */
  files?: Files
  fetcher?: RemoteFetcher
  /** Of a tenant that are not finished. */
  maxJobs?: number
  /** Jobs are taken, and nobody does them. */
  withoutWorker?: boolean
  /** Ask nobody for a key. */
  noAuth?: boolean
  rateLimit?: number
  admission?: Admission
  trustedProxies?: string[]
  /** Takes the log, from level `info` on. */
  log?: { write(line: string): void }
}

export async function startHarness(options: HarnessOptions = {}): Promise<Harness> {
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'onepeace-api-')))
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const encoder = new FakeEncoder()
  const media = new MediaDecoder({ maxPixels: limits.maxImagePixels, maxSeconds: limits.maxAudioSeconds })
  const audio = new AudioPreparer()
  const { fetcher } = options
  const files = options.files ?? filesIn({ ...dataLayout(dir), originalsDir: join(dir, 'blobs') })
  const { uploads } = files
  const parts = { encoder, uploads, tokenizer, sniff: sniffMedia, media, audio, limits, ...(fetcher && { fetcher }) }
  const { content, heads } = connectModel(parts)
  const store = new LanceVectorStore(join(dir, 'vectors'))
  const info = {
    name: MODEL,
    embedDim: DIM,
    modalities: encoder.modalities,
    precision: 'fp32',
    logitScale: 20,
    sha256: '0'.repeat(64),
    createdS: 1_750_000_000,
    limits,
  }
  const metrics = new Metrics()
  const queue = await JournalQueue.open(join(dir, 'queue'), { ...QUEUE_OPTIONS, firstPauseMs: 20 })
  const jobs = { queue, maxOpen: options.maxJobs ?? 100 }
  const { keeper, ...deps } = connectServices({ info, encoder, content, heads }, store, files, metrics, jobs)
  const work = { records: files.jobs, queue, services: deps, metrics, keepMs: 60_000, linesAtOnce: 8 }
  const jobWork = options.withoutWorker ? undefined : startJobWork(work)
  await keeper.sweep()
  const keys = options.noAuth ? undefined : await KeyRing.open(dir, 0)
  const { host = '127.0.0.1', rateLimit, log, admission, trustedProxies } = options
  const logLevel = log ? 'info' : (process.env.LOG ?? 'silent')
  const app = await buildApp(
    {
      host,
      limits,
      keys,
      rateLimit,
      logLevel,
      ...(log && { log }),
      ...(admission && { admission }),
      ...(trustedProxies && { trustedProxies }),
    },
    deps,
  )
  return {
    app,
    encoder,
    dir,
    close: async () => {
      await app.close()
      await jobWork?.stop()
      await queue.close()
      await keeper.settled()
      await store.close()
      await Promise.all([media.close(), audio.close()])
      if (options.dir === undefined) await rm(dir, { recursive: true, force: true })
    },
  }
}

export const overloaded = () => new DomainError('overloaded', 'Too much is waiting.', { retryAfterS: 7 })

/** A form as bytes, with its content type; a Uint8Array becomes a file. */
export async function form(fields: [string, string | Uint8Array, string?][]) {
  const data = new FormData()
  for (const [name, value, fileName = 'file.bin'] of fields) {
    if (typeof value === 'string') data.append(name, value)
    else data.append(name, new Blob([value as Uint8Array<ArrayBuffer>]), fileName)
  }
  const response = new Response(data)
  return {
    payload: Buffer.from(await response.arrayBuffer()),
    headers: { 'content-type': response.headers.get('content-type')! },
  }
}

/** 16-bit mono WAV: a tone of `hz` for `seconds`. */
export function wav(seconds: number, hz = 440, sampleRateHz = 16_000): Buffer {
  const samples = Math.round(seconds * sampleRateHz)
  const bytes = Buffer.alloc(44 + samples * 2)
  bytes.write('RIFF', 0)
  bytes.writeUInt32LE(36 + samples * 2, 4)
  bytes.write('WAVEfmt ', 8)
  bytes.writeUInt32LE(16, 16)
  bytes.writeUInt16LE(1, 20)
  bytes.writeUInt16LE(1, 22)
  bytes.writeUInt32LE(sampleRateHz, 24)
  bytes.writeUInt32LE(sampleRateHz * 2, 28)
  bytes.writeUInt16LE(2, 32)
  bytes.writeUInt16LE(16, 34)
  bytes.write('data', 36)
  bytes.writeUInt32LE(samples * 2, 40)
  for (let i = 0; i < samples; i++) {
    bytes.writeInt16LE(Math.round(8000 * Math.sin((2 * Math.PI * hz * i) / sampleRateHz)), 44 + i * 2)
  }
  return bytes
}
