/** The composition root of the server half: opens what a Config names and hands each service what it uses. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { DEFAULT_TENANT } from '../auth/keys.ts'
import { BlobStore } from '../blobs/blob-store.ts'
import { MANIFEST_FILE } from '../bundle/manifest.ts'
import { type Bundle, bundleHash, openBundle } from '../bundle/open.ts'
import type { Config } from '../config.ts'
import { CachedEncoder } from '../encoder/cached-encoder.ts'
import type { Encoder, OnBatch } from '../encoder/encoder.ts'
import { openLocalEncoder } from '../encoder/local-encoder.ts'
import { openRemoteEncoder } from '../encoder/remote/remote-encoder.ts'
import { Metrics } from '../http/metrics.ts'
import type { AppDeps, TenantServices } from '../http/route.ts'
import { WriteJournal } from '../journal/write-journal.ts'
import { MediaDecoder } from '../media/decoder.ts'
import { RemoteFetcher } from '../media/remote-fetch.ts'
import { sniffMedia } from '../media/sniff.ts'
import { AudioPreparer } from '../preprocess/preparer.ts'
import { Tokenizer } from '../preprocess/tokenizer.ts'
import { CollectionService } from '../services/collections.ts'
import { ContentEncoder, type ContentEncoderDeps } from '../services/content.ts'
import { EmbedService } from '../services/embed.ts'
import { HeadService, type HeadServiceDeps } from '../services/heads.ts'
import { ItemService } from '../services/index-items.ts'
import type { Limits } from '../services/limits.ts'
import { MediaKeeper } from '../services/media-keeper.ts'
import { type ModelInfo, ModelService } from '../services/models.ts'
import { PointingService } from '../services/pointing.ts'
import { SearchService } from '../services/search.ts'
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
import { type DataDir, openDataDir } from './data-dir.ts'

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

type ModelConfig = Pick<Config, 'modelDir' | 'limits' | 'remoteFetch' | 'cache'> &
  Partial<Pick<Config, 'encoderUrls' | 'encoderSecret'>>

/** Returns before the model is loaded; `encoder.ready()` tells when it is. @throws BundleError */
export async function openModel(
  config: ModelConfig,
  metrics?: Pick<Metrics, 'batchRan' | 'cacheLookedUp'>,
): Promise<ModelHalf> {
  const { modelDir, limits, remoteFetch, cache } = config
  const bundle = await openBundle(modelDir)
  const plain = encoderOf(config, bundle, metrics?.batchRan)
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
    ...connectModel({ encoder, tokenizer, sniff: sniffMedia, media, audio, fetcher, limits }),
    close: async () => {
      await Promise.allSettled([encoder.close(), media.close(), audio.close()])
    },
  }
}

/** The model in this process, or as services elsewhere. */
function encoderOf({ encoderUrls = [], encoderSecret }: ModelConfig, bundle: Bundle, onBatch?: OnBatch): Encoder {
  if (encoderUrls.length === 0) return openLocalEncoder(bundle.dir, bundle.manifest, { onBatch })
  const options = { urls: encoderUrls, secret: encoderSecret!, onBatch }
  return openRemoteEncoder(bundle.manifest, bundleHash(bundle.manifest), options)
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

/** @throws BundleError, DataDirError, DomainError `vector-store-unavailable` */
export async function openServices(config: Config): Promise<Services> {
  const metrics = new Metrics({ ofProcess: true })
  const model = await openModel(config, metrics)
  try {
    const data = await openDataDir(config.dataDir)
    try {
      return await openStore(config, model, data, metrics)
    } catch (error) {
      await data.release()
      throw error
    }
  } catch (error) {
    await model.close()
    throw error
  }
}

async function openStore(config: Config, model: ModelHalf, data: DataDir, metrics: Metrics): Promise<Services> {
  const store = vectorStoreOf(config, data, model.info.name)
  const isEmbedded = config.qdrantUrl === undefined
  if (isEmbedded) await prepareStore(store, model.info, config.modelDir)
  const blobs = new BlobStore(isEmbedded ? data.blobsDir : data.qdrantBlobsDir)
  const { keeper, ...services } = connectServices(model, store, blobs, new WriteJournal(data.journalDir), metrics)
  // A server that is another, or empty, would refer to nothing: what a crash left there takes room, but is never worth the risk.
  if (isEmbedded) await keeper.sweep()
  await services.writeOnce.sweep()
  const beside = isEmbedded
    ? undefined
    : maintainBeside(store, model.info, config.modelDir, { content: model.content, blobs })
  return {
    ...services,
    close: async () => {
      services.writeOnce.close()
      await beside?.stop()
      await model.close()
      await keeper.settled()
      await store.close()
      await data.release()
    },
  }
}

/** Originals stay in the data folder wherever the vectors are. @param model whose vectors are meant where there are several */
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
  blobs: BlobStore,
  journal: WriteJournal,
  metrics = new Metrics(),
): AppDeps & { keeper: MediaKeeper } {
  const store = watchedStore(plainStore, metrics)
  const models = new ModelService(info, encoder)
  const keeper = new MediaKeeper(blobs, store)
  const connectTenant = (tenant: string): TenantServices => {
    const own = new TenantVectorStore(store, tenant === DEFAULT_TENANT ? undefined : tenant)
    const collections = new CollectionService(own, models, keeper)
    const items = new ItemService({ content, store: own, blobs, keeper, collections, models })
    const pointing = new PointingService(heads, items)
    return {
      collections,
      items,
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
