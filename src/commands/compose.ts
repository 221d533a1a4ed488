/** The composition root of the server half: opens what a Config names and hands each service what it uses. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { DEFAULT_TENANT } from '../auth/keys.ts'
import { MANIFEST_FILE } from '../bundle/manifest.ts'
import { type Bundle, bundleHash } from '../bundle/open.ts'
import type { Config } from '../config.ts'
import { CachedEncoder } from '../encoder/cached-encoder.ts'
import type { Encoder } from '../encoder/encoder.ts'
import { Metrics } from '../http/metrics.ts'
import type { AppDeps, TenantServices } from '../http/route.ts'
import { MediaDecoder } from '../media/decoder.ts'
import { RemoteFetcher } from '../media/remote-fetch.ts'
import { sniffMedia } from '../media/sniff.ts'
import { AudioPreparer } from '../preprocess/preparer.ts'
import { Tokenizer } from '../preprocess/tokenizer.ts'
import { NoQueue } from '../queue/no-queue.ts'
import type { Queue } from '../queue/queue.ts'
import { Recurring } from '../recurring.ts'
import { CollectionService } from '../services/collections.ts'
import { ContentEncoder, type ContentEncoderDeps } from '../services/content.ts'
import { EmbedService } from '../services/embed.ts'
import { HeadService, type HeadServiceDeps } from '../services/heads.ts'
import { ItemService } from '../services/index-items.ts'
import { JobService } from '../services/jobs.ts'
import type { Limits } from '../services/limits.ts'
import { OwnMedia } from '../services/media-keeper.ts'
import { type ModelInfo, ModelService } from '../services/models.ts'
import { PointingService } from '../services/pointing.ts'
import { SearchService } from '../services/search.ts'
import { SharedMedia } from '../services/shared-media.ts'
import type { UploadService } from '../services/uploads.ts'
import { WriteOnce } from '../services/write-once.ts'
import { ZeroShotService } from '../services/zero-shot.ts'
import { stage } from '../telemetry/request-trace.ts'
import { staged, watched } from '../telemetry/watched.ts'
import { LanceVectorStore } from '../vectors/lancedb.ts'
import type { MaintainedStore } from '../vectors/maintenance.ts'
import { QdrantVectorStore } from '../vectors/qdrant.ts'
import type { VectorStore } from '../vectors/store.ts'
import { TenantVectorStore } from '../vectors/tenant-store.ts'
import { maintainBeside, prepareStore } from './at-start.ts'
import { type DataDir, dataLayout, openDataDir } from './data-dir.ts'
import { type Files, filesIn, sharedFiles } from './files.ts'
import { LINES_BESIDE_REQUESTS, openQueue, startJobWork } from './job-work.ts'
import { type EncoderConfig, type OpenEncoder, openEncoder } from './open-encoder.ts'

/** What turns contents into vectors and asks heads, without a store: all that `onepeace embed` needs. */
export interface ModelHalf {
  info: ModelInfo
  encoder: Encoder
  content: ContentEncoder
  heads: HeadService
  close(): Promise<void>
}

export interface Services extends AppDeps {
  /** Finishes what was begun, then frees model, store and data folder. */
  close(): Promise<void>
}

type QdrantConfig = Pick<Config, 'qdrantUrl' | 'qdrantApiKey' | 'qdrantQuantization'>
/** What `ContentEncoder` and `HeadService` are made of. */
type ModelDeps = ContentEncoderDeps & Pick<HeadServiceDeps, 'tokenizer'>

type ModelConfig = EncoderConfig & Pick<Config, 'limits' | 'remoteFetch' | 'cache'>

export interface ModelOptions {
  metrics?: Pick<Metrics, 'batchRan' | 'cacheLookedUp'>
  uploads?: UploadService
  /** The encoder, where it is open already. */
  opened?: OpenEncoder | undefined
}

/** Returns before the model is loaded; `encoder.ready()` tells when it is. @throws BundleError */
export async function openModel(
  config: ModelConfig,
  { metrics, uploads, opened }: ModelOptions = {},
): Promise<ModelHalf> {
  const { limits, remoteFetch, cache } = config
  const { bundle, encoder: plain } = opened ?? (await openEncoder(config, metrics?.batchRan))
  const isCached = cache.maxBytes > 0
  const encoder = isCached ? new CachedEncoder(plain, { ...cache, onLookup: metrics?.cacheLookedUp }) : plain
  const media = new MediaDecoder({ maxPixels: limits.maxImagePixels, maxSeconds: limits.maxAudioSeconds })
  const audio = new AudioPreparer()
  const fetcher = new RemoteFetcher({
    maxBytes: limits.maxFetchBytes,
    timeoutMs: limits.fetchTimeoutMs,
    enabled: remoteFetch,
  })
  const tokenizer = await loadTokenizer(bundle)
  return {
    info: await infoOf(bundle, limits),
    encoder,
    ...connectModel({
      encoder,
      tokenizer,
      sniff: sniffMedia,
      media,
      audio,
      fetcher,
      limits,
      ...(uploads && { uploads }),
    }),
    close: async () => {
      await Promise.allSettled([encoder.close(), media.close(), audio.close()])
    },
  }
}

/** Joins the parts of the model's half, each call of one a stage of its request; tests give their own. */
export function connectModel({ limits, ...deps }: ModelDeps): Pick<ModelHalf, 'content' | 'heads'> {
  const { tokenizer, fetcher } = deps
  const encoder = staged(deps.encoder, 'encode', ['encode', 'runHead'])
  const content = new ContentEncoder({
    ...deps,
    encoder,
    limits,
    media: staged(deps.media, 'decode', ['decode', 'thumbnail']),
    audio: staged(deps.audio, 'decode', ['prepare']),
    ...(fetcher && { fetcher: staged(fetcher, 'fetch', ['fetch']) }),
  })
  return { content, heads: new HeadService({ encoder, content, tokenizer, limits }) }
}

function watchedStore(store: VectorStore, metrics: Metrics): VectorStore {
  return watched(store, (operation, call) =>
    stage('store', () => timed(call, (tookMs) => metrics.storeCalled(operation, tookMs)), { operation }),
  )
}

/** @param tell how long it took, whether it succeeded or not */
async function timed<T>(call: () => Promise<T>, tell: (tookMs: number) => void): Promise<T> {
  const began = performance.now()
  try {
    return await call()
  } finally {
    tell(performance.now() - began)
  }
}

/** Whether the process keeps anything in the data folder: if not, any number of them may serve the same. */
export function needsDataDir({ qdrantUrl, media }: Pick<Config, 'qdrantUrl' | 'media'>): boolean {
  return qdrantUrl === undefined || media === undefined
}

const HOUR_MS = 60 * 60 * 1000

export interface JobsHere {
  /** Lines of jobs that this process has in work at once. */
  linesAtOnce: number
}

export interface ServicesOptions {
  metrics?: Metrics
  /** The encoder, where it is open already; it is taken over. */
  opened?: OpenEncoder
  /** Whether this process does jobs; where no other could, it does. */
  jobs?: JobsHere | undefined
}

/** @throws BundleError, ConfigError, DataDirError, DomainError `vector-store-unavailable` */
export function openServices(
  config: Config,
  { metrics = new Metrics({ ofProcess: true }), opened, jobs = jobsBeside(config) }: ServicesOptions = {},
): Promise<Services> {
  return orElse(
    () => opened?.encoder.close(),
    async () => {
      const data = needsDataDir(config) ? await openDataDir(config.dataDir) : undefined
      return orElse(
        () => data?.release(),
        async () => {
          const files = await filesOf(config, data ?? dataLayout(config.dataDir))
          const model = await openModel(config, { metrics, uploads: files.uploads, opened })
          return orElse(
            () => model.close(),
            () => openStore(config, model, { data, files }, metrics, jobs),
          )
        },
      )
    },
  )
}

/** Gives back what was opened before, if the rest fails. */
async function orElse<T>(giveBack: () => Promise<void> | undefined, rest: () => Promise<T>): Promise<T> {
  try {
    return await rest()
  } catch (error) {
    await giveBack()
    throw error
  }
}

async function openStore(
  config: Config,
  model: ModelHalf,
  { data, files }: { data: DataDir | undefined; files: Files },
  metrics: Metrics,
  jobs: JobsHere | undefined,
): Promise<Services> {
  const store = vectorStoreOf(config, data ?? dataLayout(config.dataDir), model.info.name)
  const isEmbedded = config.qdrantUrl === undefined
  if (isEmbedded) await prepareStore(store, model.info, config.modelDir)
  const queue = await openQueue(config, data)
  const { keeper, ...services } = connectServices(model, store, files, metrics, { queue, maxOpen: config.jobs.maxOpen })
  // A server that is another, or empty, would refer to nothing: what a crash left there takes room, but is never worth the risk.
  if (isEmbedded && keeper instanceof OwnMedia) await keeper.sweep()
  const sweeps = [
    new Recurring(() => services.writeOnce.sweep(), HOUR_MS),
    new Recurring(() => files.uploads.sweep(), HOUR_MS),
    ...(keeper instanceof SharedMedia ? [new Recurring(() => keeper.sweep(), HOUR_MS / 6)] : []),
  ]
  for (const each of sweeps) each.start()
  const beside = isEmbedded
    ? undefined
    : maintainBeside(store, model.info, config.modelDir, { content: model.content, blobs: files.blobs })
  const { keepMs } = config.jobs
  const jobWork = jobs && startJobWork({ records: files.jobs, queue, services, metrics, keepMs, ...jobs })
  return {
    ...services,
    close: async () => {
      await Promise.all([...sweeps.map((each) => each.stop()), beside?.stop(), jobWork?.stop()])
      await queue.close()
      await model.close()
      await keeper.settled()
      await store.close()
      await data?.release()
    },
  }
}

/** Only the one process that has the data folder can do what is to be done in it. */
function jobsBeside(config: Config): JobsHere | undefined {
  return needsDataDir(config) ? { linesAtOnce: config.jobs.linesAtOnce ?? LINES_BESIDE_REQUESTS } : undefined
}

/** Where the files are that belong to the vectors of a Config. @throws ConfigError */
export async function filesOf(
  { media, qdrantUrl }: Pick<Config, 'media' | 'qdrantUrl'>,
  layout: Omit<DataDir, 'release'>,
): Promise<Files> {
  if (media !== undefined) return sharedFiles(media)
  return filesIn({ ...layout, originalsDir: qdrantUrl === undefined ? layout.blobsDir : layout.qdrantBlobsDir })
}

/** @param model whose vectors are meant where there are several */
export function vectorStoreOf(
  { qdrantUrl: url, qdrantApiKey: apiKey, qdrantQuantization: quantization }: QdrantConfig,
  { vectorsDir }: Pick<DataDir, 'vectorsDir'>,
  model?: string,
): MaintainedStore {
  if (url === undefined) return new LanceVectorStore(vectorsDir)
  return new QdrantVectorStore({ url, apiKey, quantization, model })
}

/** Joins the parts; tests give their own. */
export function connectServices(
  { info, encoder, content, heads }: Pick<ModelHalf, 'info' | 'encoder' | 'content' | 'heads'>,
  plainStore: VectorStore,
  { blobs, journal, uploads, doomed, jobs: records }: Files,
  metrics = new Metrics(),
  { queue, maxOpen }: { queue: Queue; maxOpen: number } = { queue: new NoQueue(), maxOpen: 100 },
): AppDeps & { keeper: OwnMedia | SharedMedia } {
  const store = watchedStore(plainStore, metrics)
  const models = new ModelService(info, encoder)
  const keeper = doomed ? new SharedMedia(blobs, store, doomed) : new OwnMedia(blobs, store)
  metrics.watchJobs(
    () => queue.depth(),
    async () => (await records.open()).length,
  )
  const connectTenant = (tenant: string): TenantServices => {
    const own = new TenantVectorStore(store, tenant === DEFAULT_TENANT ? undefined : tenant)
    const collections = new CollectionService(own, models, keeper)
    const items = new ItemService({ content, store: own, blobs, keeper, collections, models })
    const pointing = new PointingService(heads, items)
    return {
      collections,
      items,
      jobs: new JobService({ records, queue, tenant, maxOpen }),
      search: new SearchService({ content, store: own, collections, pointing }),
    }
  }
  return {
    models,
    keeper,
    heads,
    content,
    metrics,
    embed: new EmbedService(content, models),
    writeOnce: new WriteOnce(journal),
    uploads,
    media: blobs,
    zeroShot: new ZeroShotService(content, models),
    forTenant: remembered(connectTenant),
  }
}

/** Makes what belongs to a name once. For names that are few, as those of tenants are: each has a key. */
function remembered<T>(make: (name: string) => T): (name: string) => T {
  const made = new Map<string, T>()
  return (name) => {
    const known = made.get(name) ?? make(name)
    made.set(name, known)
    return known
  }
}

async function loadTokenizer({ dir, manifest: { tokenizer } }: Bundle): Promise<Tokenizer | undefined> {
  if (tokenizer === undefined) return undefined
  const { encoder, merges, dictionary } = tokenizer
  const at = (file: string) => join(dir, file)
  return Tokenizer.load({ encoder: at(encoder), merges: at(merges), dictionary: at(dictionary) })
}

async function infoOf({ dir, manifest }: Bundle, limits: Limits): Promise<ModelInfo> {
  const { mtimeMs } = await stat(join(dir, MANIFEST_FILE))
  return {
    name: manifest.name,
    embedDim: manifest.embedDim,
    modalities: manifest.modalities,
    precision: manifest.precision,
    logitScale: manifest.logitScale,
    sha256: bundleHash(manifest),
    createdS: Math.floor(mtimeMs / 1000),
    limits,
  }
}
