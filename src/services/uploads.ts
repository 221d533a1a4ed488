/**
 * Files sent ahead of the requests that use them. Each has a record of what was announced, and its bytes once they came:
 *
 *   <id>/about     tenant, length, type, hash if it is known
 *   <id>/bytes     written by the client itself where the store signs addresses, else by `receive`
 *
 * A bucket holds the client to length, type and hash by its signature; as not every server that speaks S3 checks all of it, all is
 * checked again when the file is used. The type of a picture or sound is held against its bytes where these are decoded.
 */
import { randomBytes } from 'node:crypto'
import { sha256Of } from '../blobs/blob-store.ts'
import { DomainError } from '../errors.ts'
import { deleteBefore, type ObjectStore, told } from '../objects/object-store.ts'

export interface UploadRequest {
  bytes: number
  mediaType: string
  /** Lower-case hex. */
  sha256?: string | undefined
}

export interface Upload extends UploadRequest {
  /** 192 random bits. */
  id: string
  /** Where it goes, if not to this service. */
  url: string | undefined
  /** To be sent with the bytes. */
  headers: Record<string, string>
  /** ISO 8601: until when it can be sent, and used. */
  expiresAt: string
  usableUntil: string
}

/** What is kept of an upload. */
interface About extends UploadRequest {
  tenant: string
  /** ms since 1970. */
  madeAtMs: number
}

export interface UploadedFile {
  bytes: Uint8Array
  mediaType: string
}

const SENDABLE_MS = 60 * 60 * 1000
const USABLE_MS = 24 * 60 * 60 * 1000

/** Every method throws DomainError `vector-store-unavailable` where files cannot be kept or read. */
export class UploadService {
  readonly #objects: ObjectStore

  constructor(objects: ObjectStore) {
    this.#objects = objects
  }

  async create(tenant: string, request: UploadRequest): Promise<Upload> {
    const id = randomBytes(24).toString('base64url')
    const madeAtMs = Date.now()
    const about: About = { ...request, tenant, madeAtMs }
    await told('The upload could not be announced', this.#objects.put(`${id}/about`, JSON.stringify(about)))
    const grant = { ...request, expiresS: SENDABLE_MS / 1000 }
    const signed = this.#objects.signUpload?.(`${id}/bytes`, grant)
    const { url, headers } = (await (signed && told('The upload could not be signed', signed))) ?? {
      url: undefined,
      headers: { 'content-type': request.mediaType },
    }
    const at = (ms: number) => new Date(madeAtMs + ms).toISOString()
    return { ...request, id, url, headers, expiresAt: at(SENDABLE_MS), usableUntil: at(USABLE_MS) }
  }

  /**
   * Keeps what was announced; on disk when it resolves.
   * @param read called with the length, once it is clear that the bytes are wanted
   * @throws DomainError `not-found`, `invalid-request` (other bytes than announced), and those of `read`
   */
  async receive(
    tenant: string,
    id: string,
    mediaType: string,
    read: (bytes: number) => Promise<Uint8Array>,
  ): Promise<void> {
    const about = this.#objects.signUpload ? undefined : await this.#about(tenant, id)
    if (about === undefined || Date.now() > about.madeAtMs + SENDABLE_MS)
      throw new DomainError('not-found', `There is no upload '${id}' that can be sent here; announce another.`)
    if (mediaType !== about.mediaType)
      throw new DomainError('invalid-request', `The upload was announced as ${about.mediaType}, not ${mediaType}.`)
    const bytes = await read(about.bytes)
    const wrong = await deviationOf(bytes, about)
    if (wrong) throw new DomainError('invalid-request', `${wrong} Send the file that was announced.`)
    await told('The upload could not be kept', this.#objects.put(`${id}/bytes`, bytes))
  }

  /** @throws DomainError `unprocessable-content` if it is not there, no longer there, or not what was announced */
  async open(tenant: string, id: string): Promise<UploadedFile> {
    const about = await this.#about(tenant, id)
    if (about === undefined || Date.now() > about.madeAtMs + USABLE_MS) throw unusable('There is no such upload', id)
    const { bytes: announced, mediaType } = about
    const found = await told('The upload could not be read', this.#objects.stat(`${id}/bytes`))
    if (found === undefined) throw unusable('Its bytes were not sent', id)
    // Nothing longer than announced is taken into memory.
    const bytes =
      found.bytes === announced
        ? await told('The upload could not be read', this.#objects.get(`${id}/bytes`))
        : undefined
    const wrong = bytes
      ? await deviationOf(bytes, about)
      : `It has ${found.bytes} bytes and not the ${announced} announced.`
    if (wrong || bytes === undefined) throw unusable(wrong ?? 'It is gone.', id)
    return { bytes, mediaType }
  }

  /** Deletes what can no longer be used. @returns how many objects */
  sweep(): Promise<number> {
    return deleteBefore(this.#objects, Date.now() - USABLE_MS - SENDABLE_MS)
  }

  async #about(tenant: string, id: string): Promise<About | undefined> {
    const text = await told('The upload could not be found', this.#objects.get(`${id}/about`))
    const about = text && (JSON.parse(text.toString()) as About)
    return about?.tenant === tenant ? about : undefined
  }
}

async function deviationOf(bytes: Uint8Array, about: UploadRequest): Promise<string | undefined> {
  if (bytes.length !== about.bytes) return `It has ${bytes.length} bytes and not the ${about.bytes} announced.`
  if (about.sha256 && (await sha256Of(bytes)) !== about.sha256) return 'It has not the SHA-256 that was announced.'
  return undefined
}

function unusable(why: string, id: string): DomainError {
  const message = `The upload '${id}' cannot be used. ${why.replace(/([^.])$/, '$1.')} Announce and send it again.`
  return new DomainError('unprocessable-content', message)
}
