/** `MEDIA_URL`: the place where several processes keep originals, uploads and the journal of writes together. */
import { fileURLToPath } from 'node:url'

export type MediaLocation =
  | {
      kind: 's3'
      bucket: string
      /** Before each key, without slashes at its ends; may be empty. */
      prefix: string
      /** Address of a server that is not AWS. */
      endpoint: string | undefined
      region: string | undefined
      /** Whether the bucket stands in the path of the address and not in its host name. */
      pathStyle: boolean
    }
  | { kind: 'folder'; dir: string }

/** As an operator is told of it. */
export function placeOf(location: MediaLocation): string {
  return location.kind === 's3' ? `the bucket ${location.bucket}` : location.dir
}

/** S3's own rules, without the dots that TLS does not like. */
const BUCKET = /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/
const PREFIX = /^(?:[A-Za-z0-9_-][A-Za-z0-9._-]*(?:\/|$))*$/
const OPTIONS = ['endpoint', 'region', 'path_style']

/** @returns what it names, or undefined if it is not understood */
export function mediaLocationOf(text: string): MediaLocation | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'file:') return folderOf(url)
  return url?.protocol === 's3:' ? bucketOf(url) : undefined
}

function folderOf(url: URL): MediaLocation | undefined {
  const isPlain = url.host === '' && url.pathname.length > 1 && url.search === '' && url.hash === ''
  return isPlain ? { kind: 'folder', dir: fileURLToPath(url) } : undefined
}

function bucketOf(url: URL): MediaLocation | undefined {
  const options = url.searchParams
  const prefix = url.pathname.replace(/^\/+|\/+$/g, '')
  const endpoint = options.get('endpoint') ?? undefined
  const pathStyle = options.get('path_style') ?? (endpoint === undefined ? '0' : '1')
  const isEndpoint = endpoint === undefined || /^https?:\/\/[^/@?#]+\/?$/.test(endpoint)
  const isKnown = [...options.keys()].every((name) => OPTIONS.includes(name))
  const isPlain = !url.username && !url.password && !url.port && url.hash === ''
  const isPossible = BUCKET.test(url.hostname) && PREFIX.test(prefix) && ['0', '1'].includes(pathStyle)
  if (!isPlain || !isPossible || !isEndpoint || !isKnown) return undefined
  const region = options.get('region') ?? undefined
  return { kind: 's3', bucket: url.hostname, prefix, endpoint, region, pathStyle: pathStyle === '1' }
}
