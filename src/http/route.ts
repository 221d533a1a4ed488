/** What a route file is given, and how it adds the handlers of the contract's operations. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { CollectionService } from '../services/collections.ts'
import type { ContentEncoder } from '../services/content.ts'
import type { EmbedService } from '../services/embed.ts'
import type { HeadService } from '../services/heads.ts'
import type { ItemService } from '../services/index-items.ts'
import type { JobService } from '../services/jobs.ts'
import type { ModelService } from '../services/models.ts'
import type { SearchService } from '../services/search.ts'
import type { UploadService } from '../services/uploads.ts'
import type { WriteOnce } from '../services/write-once.ts'
import type { ZeroShotService } from '../services/zero-shot.ts'
import type { Metrics } from './metrics.ts'
import type { Contract } from './openapi.ts'

export interface AppDeps {
  embed: EmbedService
  models: ModelService
  heads: HeadService
  zeroShot: ZeroShotService
  content: Pick<ContentEncoder, 'withLocal'>
  metrics: Metrics
  writeOnce: WriteOnce
  uploads: UploadService
  /** Where originals are. */
  media: { ready(): Promise<void> }
  /** The services that see the collections of one tenant, `request.caller.tenant`, and no others. */
  forTenant(tenant: string): TenantServices
}

export interface TenantServices {
  collections: CollectionService
  items: ItemService
  jobs: JobService
  search: SearchService
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Path, query and header parameters of the contract, checked; defaults filled in. */
    checked: Record<string, string | number>
  }
}

/** What a route file adds to the app: the handler of one operation of the contract. */
export type AddRoute = (
  operationId: string,
  handler: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>,
  options?: RouteOptions,
) => void

export interface RouteOptions {
  /** Bytes of a body; the service's own limit if absent. */
  bodyLimit?: number
  /** The only kinds of body taken; JSON and, where the handler reads one, a form if absent. */
  contentTypes?: readonly string[]
  /** Bytes of a body of JSON, where another kind may be longer. */
  jsonLimit?: number
}

export interface RouteContext {
  add: AddRoute
  contract: Contract
  deps: AppDeps
}
