/**
 * Flags and environment → one frozen Config; the only reader of `process.env`, to which only scratch.ts writes. A flag wins over its
 * variable, a variable over the default. Everything wrong is said at once.
 */
import { isIP } from 'node:net'
import { fileURLToPath } from 'node:url'
import { type MediaLocation, mediaLocationOf } from './media-location.ts'
import { MODALITIES, type Modality } from './modality.ts'
import { type Admission, DEFAULT_ADMISSION, DEFAULT_LIMITS, type Limits } from './services/limits.ts'
import { QUANTIZATIONS, type Quantization } from './vectors/qdrant-quantization.ts'

export interface Config {
  /** Address to listen on. */
  host: string
  /** 0 takes any free port. */
  port: number
  /** Folder of everything kept; made if it is not there. */
  dataDir: string
  /** Folder of the bundle to serve. */
  modelDir: string
  /** Address of the Qdrant server that keeps the vectors; undefined for the embedded store in the data folder. */
  qdrantUrl: string | undefined
  qdrantApiKey: string | undefined
  /** How Qdrant keeps vectors small for searching. */
  qdrantQuantization: Quantization
  /** Where originals, uploads and the journal of writes are kept with other processes; undefined for the data folder. */
  media: MediaLocation | undefined
  /** Keys as text, or the file that they are in; undefined for `keys.json` of the data folder. */
  keys: { text: string } | { file: string } | undefined
  /** Addresses of the encoder services; none to run the model in this process. */
  encoderUrls: readonly string[]
  /** What the API and its encoder services know and nobody else. */
  encoderSecret: string | undefined
  /** How long encoder services take from nothing to ready, where they sleep until they are wanted; 0: they never do. */
  encoderWakeS: number
  /** Whether texts are encoded in this process while no encoder service can be asked. */
  encoderTextLocal: boolean
  /** What a model in this process runs on. */
  device: Device
  /** Host and port of Lambda's runtime interface, where this process is a Lambda function. */
  lambdaRuntimeApi: string | undefined
  /** Where jobs wait: a Redis server or an SQS queue; undefined for the data folder, where this process does them. */
  queueUrl: string | undefined
  jobs: Readonly<JobConfig>
  /** Whether serving other machines without keys was asked for. */
  noAuth: boolean
  /** Whether pictures and sounds given by their address are fetched. */
  remoteFetch: boolean
  /** Addresses, or networks as CIDR, of proxies whose `x-forwarded-for` tells who calls; none are trusted if empty. */
  trustedProxies: readonly string[]
  /** Requests a minute of a key, or of an address where no key is asked for; 0 for no limit, undefined for the preset. */
  rateLimit: number | undefined
  /** Requests, and bytes of their bodies, in work at once; what comes beyond is refused with a 503. */
  admission: Readonly<Admission>
  /** How a model in this process runs; what is undefined is chosen from the machine and the model. */
  engine: Readonly<Engine>
  /** What embeddings are remembered, and how many bytes of them; none with 0. */
  cache: Readonly<{ maxBytes: number; modalities: readonly Modality[] }>
  logLevel: LogLevel
  /** Whether a collector of traces is configured, by OpenTelemetry's own variables. */
  tracing: boolean
  limits: Readonly<Limits>
}

export const DEVICES = ['cpu', 'cuda'] as const
export type Device = (typeof DEVICES)[number]

export interface JobConfig {
  /** Jobs of one tenant that may be unfinished at once. */
  maxOpen: number
  /** How long a finished job is kept. */
  keepMs: number
  /** Lines that a worker has in work at once; undefined for the preset of the command. */
  linesAtOnce: number | undefined
}

export interface Engine {
  /** Session workers for pictures and sounds, and threads of one inference. */
  workers: number | undefined
  threads: number | undefined
  /** Modalities whose branch opens at the start; the others with their first use. */
  preload: readonly Modality[]
  /** Whether weights are repacked: faster, at the price of a second copy in memory. */
  prepack: boolean | undefined
  /** How long an input waits for company while the encoder is idle, in ms. */
  maxWaitMs: number
  /** Most tokens, patches or frames of one batch. */
  maxBatchPositions: number | undefined
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** What the command line said; absent where it said nothing. */
export interface ConfigFlags {
  host?: string | undefined
  port?: string | undefined
  data?: string | undefined
  model?: string | undefined
  /** commander's reading of `--no-auth`: false if it was given. */
  auth?: boolean | undefined
}

/** A flag or variable is wrong; the message says which and what it may be. */
export class ConfigError extends Error {
  override name = 'ConfigError'
}

/** What a header can bear. */
const SECRET = /^[\x21-\x7e]{16,}$/
const DEFAULT_MODEL = fileURLToPath(new URL('../models/onepeace-nano', import.meta.url))

/** @param presets what differs between commands. @throws ConfigError naming every wrong value */
export function loadConfig(
  flags: ConfigFlags = {},
  env: NodeJS.ProcessEnv = process.env,
  presets = { port: '8080' },
): Readonly<Config> {
  const wrong: string[] = []
  const config: Config = {
    host: flags.host ?? env.ONEPEACE_HOST ?? '127.0.0.1',
    port: wholeNumber(flags.port ?? env.ONEPEACE_PORT ?? presets.port, 'The port', 0, 65_535, wrong),
    dataDir: flags.data ?? env.ONEPEACE_DATA ?? './data',
    modelDir: flags.model ?? env.ONEPEACE_MODEL ?? DEFAULT_MODEL,
    qdrantUrl: qdrantUrlOf(env.QDRANT_URL || undefined, wrong),
    qdrantApiKey: env.QDRANT_API_KEY || undefined,
    qdrantQuantization: quantizationOf(env.QDRANT_QUANTIZATION || 'none', wrong),
    media: mediaOf(env, wrong),
    keys: keysOf(env, wrong),
    encoderUrls: Object.freeze(encoderUrlsOf(env, wrong)),
    encoderSecret: secretOf(env.ENCODER_SECRET || undefined, wrong),
    encoderWakeS: wholeNumber(env.ENCODER_WAKE_S ?? '0', 'ENCODER_WAKE_S', 0, 3600, wrong),
    encoderTextLocal: isYes('ENCODER_TEXT_LOCAL', env, wrong),
    device: deviceOf(env.ONEPEACE_DEVICE || 'cpu', wrong),
    lambdaRuntimeApi: env.AWS_LAMBDA_RUNTIME_API || undefined,
    queueUrl: queueUrlOf(env.QUEUE_URL || undefined, wrong),
    jobs: Object.freeze(jobsOf(env, wrong)),
    noAuth: flags.auth === false || isYes('ONEPEACE_NO_AUTH', env, wrong),
    remoteFetch: isYes('ONEPEACE_REMOTE_FETCH', env, wrong, true),
    trustedProxies: proxiesOf(env.ONEPEACE_TRUSTED_PROXIES ?? '', wrong),
    rateLimit: rateLimitOf(env.ONEPEACE_RATE_LIMIT, wrong),
    engine: Object.freeze(engineOf(env, wrong)),
    cache: Object.freeze({
      maxBytes: wholeNumber(
        env.ONEPEACE_CACHE_BYTES ?? String(32 * 1024 * 1024),
        'ONEPEACE_CACHE_BYTES',
        0,
        2 ** 40,
        wrong,
      ),
      modalities: cachedModalities(env.ONEPEACE_CACHE ?? 'text', wrong),
    }),
    admission: Object.freeze(admissionOf(env, wrong)),
    logLevel: logLevelOf(env.ONEPEACE_LOG_LEVEL ?? 'warn', wrong),
    tracing: Boolean(env.OTEL_EXPORTER_OTLP_ENDPOINT || env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT),
    limits: Object.freeze(limitsOf(env, wrong)),
  }
  if (wrong.length > 0) throw new ConfigError(wrong.join('\n'))
  return Object.freeze(config)
}

/** Where a command that is a client finds the service. */
export interface ClientConfig {
  url: string
  /** Whether somebody said so; otherwise it is where `serve` listens by default. */
  isGiven: boolean
  apiKey: string | undefined
}

export interface ClientFlags {
  url?: string | undefined
}

/** The key comes from the environment alone: what stands in a command line, others can read. @throws ConfigError */
export function loadClientConfig(flags: ClientFlags, env: NodeJS.ProcessEnv = process.env): Readonly<ClientConfig> {
  const given = flags.url ?? (env.ONEPEACE_URL || undefined)
  const url = given ?? `http://127.0.0.1:${env.ONEPEACE_PORT || 8080}`
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new ConfigError(`The address of the service must be like http://127.0.0.1:8080, not '${url}'.`)
  }
  const isGiven = given !== undefined
  return Object.freeze({ url: url.replace(/\/+$/, ''), isGiven, apiKey: env.ONEPEACE_API_KEY || undefined })
}

/** Whether the stack of an unexpected error is to be shown. */
export function showsStacks(env: NodeJS.ProcessEnv = process.env): boolean {
  return env.ONEPEACE_LOG_LEVEL === 'debug' || env.ONEPEACE_LOG_LEVEL === 'trace'
}

/** `maxRequestBytes` is ONEPEACE_MAX_REQUEST_BYTES, and so on. */
function limitsOf(env: NodeJS.ProcessEnv, wrong: string[]): Limits {
  const entries = Object.entries(DEFAULT_LIMITS).map(([name, preset]) => {
    const variable = `ONEPEACE_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
    const text = env[variable]
    return [name, text === undefined ? preset : wholeNumber(text, variable, 1, Number.MAX_SAFE_INTEGER, wrong)]
  })
  return Object.fromEntries(entries) as Limits
}

function engineOf(env: NodeJS.ProcessEnv, wrong: string[]): Engine {
  const setting = (variable: string, min: number, max: number) =>
    env[variable] ? wholeNumber(env[variable], variable, min, max, wrong) : undefined
  return {
    workers: setting('ONEPEACE_WORKERS', 1, 256),
    threads: setting('ONEPEACE_THREADS', 1, 1024),
    preload: preloadOf(env.ONEPEACE_PRELOAD || 'all', wrong),
    prepack: env.ONEPEACE_PREPACK ? isYes('ONEPEACE_PREPACK', env, wrong) : undefined,
    maxWaitMs: setting('ONEPEACE_BATCH_WAIT_MS', 0, 10_000) ?? 0,
    maxBatchPositions: setting('ONEPEACE_BATCH_POSITIONS', 1, 2 ** 24),
  }
}

function preloadOf(text: string, wrong: string[]): readonly Modality[] {
  if (text === 'all') return MODALITIES
  const named = text === 'none' ? [] : text.split(',').map((each) => each.trim())
  const known = MODALITIES.filter((modality) => named.includes(modality))
  if (known.length !== named.length)
    wrong.push(`ONEPEACE_PRELOAD must be all, none, or modalities by commas (${MODALITIES.join(', ')}), not '${text}'.`)
  return known
}

function cachedModalities(text: string, wrong: string[]): readonly Modality[] {
  if (text === 'all') return MODALITIES
  if (text !== 'text')
    wrong.push(`ONEPEACE_CACHE must be text or all, not '${text}'; ONEPEACE_CACHE_BYTES=0 turns it off.`)
  return ['text']
}

function admissionOf(env: NodeJS.ProcessEnv, wrong: string[]): Admission {
  const setting = (variable: string, preset: number) =>
    wholeNumber(env[variable] ?? String(preset), variable, 1, Number.MAX_SAFE_INTEGER, wrong)
  return {
    maxRequests: setting('ONEPEACE_MAX_IN_FLIGHT', DEFAULT_ADMISSION.maxRequests),
    maxBytes: setting('ONEPEACE_MAX_IN_FLIGHT_BYTES', DEFAULT_ADMISSION.maxBytes),
  }
}

function wholeNumber(text: string, what: string, min: number, max: number, wrong: string[]): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= min && value <= max))
    wrong.push(`${what} must be a whole number from ${min} to ${max}, not '${text}'.`)
  return value
}

/** The message does not repeat the address: it may hold a password. */
function qdrantUrlOf(text: string | undefined, wrong: string[]): string | undefined {
  if (text === undefined) return undefined
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isPlain = url && /^https?:$/.test(url.protocol) && !url.username && !url.password && !url.search && !url.hash
  if (!isPlain)
    wrong.push('QDRANT_URL must be an address such as http://127.0.0.1:6333, without user, query or fragment.')
  return text
}

function mediaOf({ MEDIA_URL, ...env }: NodeJS.ProcessEnv, wrong: string[]): MediaLocation | undefined {
  const location = MEDIA_URL ? mediaLocationOf(MEDIA_URL) : undefined
  if (MEDIA_URL && location === undefined)
    wrong.push(
      'MEDIA_URL must be like s3://bucket/prefix, with ?endpoint=http://127.0.0.1:9000 for a server that is not AWS ' +
        '(also region=… and path_style=0 or 1), or like file:///mnt/media.',
    )
  if (location?.kind !== 's3' || location.endpoint === undefined) return location
  // A server that is not AWS has no regions, and yet signatures name one.
  return { ...location, region: location.region ?? (env.AWS_REGION || env.AWS_DEFAULT_REGION || 'us-east-1') }
}

function keysOf({ ONEPEACE_KEYS, ONEPEACE_KEYS_FILE }: NodeJS.ProcessEnv, wrong: string[]): Config['keys'] {
  if (ONEPEACE_KEYS && ONEPEACE_KEYS_FILE) wrong.push('Only one of ONEPEACE_KEYS and ONEPEACE_KEYS_FILE can be given.')
  if (ONEPEACE_KEYS) return { text: ONEPEACE_KEYS }
  return ONEPEACE_KEYS_FILE ? { file: ONEPEACE_KEYS_FILE } : undefined
}

/** Separated by commas. Messages do not repeat an address: it may hold a password. */
function encoderUrlsOf({ ENCODER_URL = '', ENCODER_SECRET }: NodeJS.ProcessEnv, wrong: string[]): string[] {
  const texts = ENCODER_URL.split(',').map((text) => text.trim())
  const given = texts.filter((text) => text !== '')
  const isOrigin = (text: string) => URL.canParse(text) && /^https?:\/\/[^/@?#]+\/?$/.test(text)
  if (!given.every(isOrigin)) {
    wrong.push(
      'ENCODER_URL must hold addresses such as http://10.0.0.5:8081, separated by commas, and nothing after the port.',
    )
  }
  if (given.length > 0 && !ENCODER_SECRET)
    wrong.push('ENCODER_URL needs ENCODER_SECRET, the one of the encoder services.')
  return given
}

/** The message does not repeat the address: it may hold a password. */
function queueUrlOf(text: string | undefined, wrong: string[]): string | undefined {
  const isRedis = text !== undefined && URL.canParse(text) && /^rediss?:\/\/.+/.test(text)
  const isSqs = text !== undefined && URL.canParse(text) && /^https?:\/\/[^/@?#]+\/[^?#]+$/.test(text)
  if (text !== undefined && !isRedis && !isSqs) {
    wrong.push('QUEUE_URL must be a Redis server, such as redis://127.0.0.1:6379, or the address of an SQS queue.')
  }
  return text
}

function jobsOf(env: NodeJS.ProcessEnv, wrong: string[]): JobConfig {
  const setting = (variable: string, text: string, most: number) => wholeNumber(text, variable, 1, most, wrong)
  const lines = env.ONEPEACE_WORKER_LINES
  return {
    maxOpen: setting('ONEPEACE_MAX_JOBS', env.ONEPEACE_MAX_JOBS ?? '100', 10_000),
    keepMs: setting('ONEPEACE_KEEP_JOBS_HOURS', env.ONEPEACE_KEEP_JOBS_HOURS ?? '168', 100_000) * 3_600_000,
    linesAtOnce: lines === undefined ? undefined : setting('ONEPEACE_WORKER_LINES', lines, 1024),
  }
}

function secretOf(text: string | undefined, wrong: string[]): string | undefined {
  if (text === undefined || SECRET.test(text)) return text
  wrong.push(
    'ENCODER_SECRET must have 16 or more printable characters without spaces; make one with `openssl rand -hex 32`.',
  )
  return undefined
}

function deviceOf(text: string, wrong: string[]): Device {
  const device = DEVICES.find((known) => known === text)
  if (device === undefined) wrong.push(`ONEPEACE_DEVICE must be ${DEVICES.join(' or ')}, not '${text}'.`)
  return device ?? 'cpu'
}

function proxiesOf(text: string, wrong: string[]): readonly string[] {
  const proxies = text.split(',').map((each) => each.trim())
  const isNetwork = (each: string) => {
    const [address = '', bits = '0', ...more] = each.split('/')
    const most = isIP(address) === 6 ? 128 : 32
    return isIP(address) !== 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= most && more.length === 0
  }
  const unknown = proxies.filter((each) => each !== '' && !isNetwork(each))
  if (unknown.length > 0) {
    wrong.push(
      `ONEPEACE_TRUSTED_PROXIES must be addresses or networks such as 10.0.0.0/8, not '${unknown.join(', ')}'.`,
    )
  }
  return proxies.filter((each) => each !== '')
}

function quantizationOf(text: string, wrong: string[]): Quantization {
  const quantization = QUANTIZATIONS.find((known) => known === text)
  if (quantization === undefined)
    wrong.push(`QDRANT_QUANTIZATION must be ${QUANTIZATIONS.join(' or ')}, not '${text}'.`)
  return quantization ?? 'none'
}

function rateLimitOf(text: string | undefined, wrong: string[]): number | undefined {
  return text === undefined ? undefined : wholeNumber(text, 'ONEPEACE_RATE_LIMIT', 0, 1_000_000, wrong)
}

function isYes(variable: string, env: NodeJS.ProcessEnv, wrong: string[], preset = false): boolean {
  const text = env[variable] ?? ''
  if (text === '') return preset
  if (!['0', '1', 'true', 'false'].includes(text)) wrong.push(`${variable} must be 1 or 0, not '${text}'.`)
  return text === '1' || text === 'true'
}

function logLevelOf(text: string, wrong: string[]): LogLevel {
  const level = LOG_LEVELS.find((known) => known === text)
  if (level === undefined) wrong.push(`ONEPEACE_LOG_LEVEL must be one of ${LOG_LEVELS.join(', ')}, not '${text}'.`)
  return level ?? 'warn'
}
