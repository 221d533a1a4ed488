/**
 * Objects in a bucket: AWS S3, or a server that speaks its protocol. Credentials and, unless it is named, the region come from
 * where AWS's own tools find them (environment, shared files, the machine's or function's role).
 *
 * A call that fails in passing (connection, 429, 5xx) is made again after a pause with jitter, four times in all; one that has
 * not ended after `CALL_MS` is given up. Creating needs conditional writes (`If-None-Match: *`), which S3 has had since 2024.
 */

import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type S3ServiceException,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import type { MediaLocation } from '../media-location.ts'
import {
  assertKey,
  type ByteRange,
  type ObjectInfo,
  type ObjectStore,
  ObjectStoreError,
  type SignedUpload,
  type UploadGrant,
} from './object-store.ts'

type S3Location = Omit<Extract<MediaLocation, { kind: 's3' }>, 'kind'>

const CALL_MS = 30_000
const CONNECT_MS = 3000
/** Without a byte from the server. */
const SILENCE_MS = 10_000
const ATTEMPTS = 4
/** Times that a creation is tried again which met another of the same key, and an object whose transfer broke off is read again. */
const AGAIN = 3

/** A bucket, and the keys in it that begin with the prefix. */
export class S3Objects implements ObjectStore {
  readonly #at: S3Location
  readonly #client: S3Client

  constructor(at: S3Location, client = clientOf(at)) {
    this.#at = at
    this.#client = client
  }

  /** The objects whose keys begin with `name/`, by the rest of their keys. */
  room(name: string): S3Objects {
    const prefix = this.#at.prefix === '' ? name : `${this.#at.prefix}/${name}`
    return new S3Objects({ ...this.#at, prefix }, this.#client)
  }

  async ready(): Promise<void> {
    const command = new ListObjectsV2Command({ Bucket: this.#at.bucket, Prefix: this.#prefix, MaxKeys: 1 })
    await this.#call((abortSignal) => this.#client.send(command, { abortSignal }))
  }

  async put(key: string, bytes: Uint8Array | string): Promise<void> {
    await this.#put(key, bytes, {})
  }

  async create(key: string, bytes: Uint8Array | string): Promise<boolean> {
    for (let tries = 1; ; tries++) {
      const status = await this.#put(key, bytes, { IfNoneMatch: '*' })
      if (status === 200) return true
      if (status === 412) return false
      if (tries === AGAIN) throw new ObjectStoreError(`${this.#name} had others write the same again and again`)
    }
  }

  /** @returns 200; 412 if the condition does not hold, 409 if that could not be told as others write the same */
  async #put(key: string, bytes: Uint8Array | string, condition: { IfNoneMatch?: '*' }): Promise<number> {
    const command = new PutObjectCommand({
      ...this.#where(key),
      Body: bytes,
      ContentLength: Buffer.byteLength(bytes),
      ...condition,
    })
    return this.#call(async (abortSignal) => {
      try {
        await this.#client.send(command, { abortSignal })
        return 200
      } catch (error) {
        const status = statusOf(error)
        if (condition.IfNoneMatch && (status === 412 || status === 409)) return status
        throw error
      }
    })
  }

  async stat(key: string): Promise<ObjectInfo | undefined> {
    const command = new HeadObjectCommand(this.#where(key))
    const found = await this.#orNone((abortSignal) => this.#client.send(command, { abortSignal }))
    return found && { bytes: found.ContentLength ?? 0, modifiedAtMs: found.LastModified?.getTime() ?? 0 }
  }

  async get(key: string): Promise<Buffer | undefined> {
    for (let tries = 1; ; tries++) {
      const body = await this.open(key)
      if (body === undefined) return undefined
      try {
        return await buffer(body)
      } catch (cause) {
        if (tries === AGAIN) throw new ObjectStoreError(`${this.#name} broke off the transfer`, { cause })
      }
    }
  }

  async open(key: string, range?: ByteRange): Promise<Readable | undefined> {
    const Range = range && `bytes=${range.start}-${range.end}`
    const command = new GetObjectCommand({ ...this.#where(key), ...(Range && { Range }) })
    // Its deadline ends with the answer's head: how long the body takes is for its reader to say.
    const found = await this.#orNone((abortSignal) => this.#client.send(command, { abortSignal }))
    return found?.Body as Readable | undefined
  }

  async delete(key: string): Promise<void> {
    const command = new DeleteObjectCommand(this.#where(key))
    await this.#call((abortSignal) => this.#client.send(command, { abortSignal }))
  }

  async *list(prefix = ''): AsyncIterable<ObjectInfo & { key: string }> {
    for (let token: string | undefined; ; ) {
      const command = new ListObjectsV2Command({
        Bucket: this.#at.bucket,
        Prefix: this.#prefix + prefix,
        ContinuationToken: token,
      })
      const page = await this.#call((abortSignal) => this.#client.send(command, { abortSignal }))
      for (const { Key = '', Size = 0, LastModified } of page.Contents ?? [])
        yield { key: Key.slice(this.#prefix.length), bytes: Size, modifiedAtMs: LastModified?.getTime() ?? 0 }
      token = page.NextContinuationToken
      if (token === undefined) return
    }
  }

  /** Length, type and, if it is known, hash are part of what is signed: S3 refuses any other. */
  async signUpload(key: string, { bytes, mediaType, sha256, expiresS }: UploadGrant): Promise<SignedUpload> {
    const checksum = sha256 && Buffer.from(sha256, 'hex').toString('base64')
    const headers = { 'content-type': mediaType, ...(checksum && { 'x-amz-checksum-sha256': checksum }) }
    const command = new PutObjectCommand({
      ...this.#where(key),
      ContentLength: bytes,
      ContentType: mediaType,
      ...(checksum && { ChecksumSHA256: checksum }),
    })
    const names = new Set(['content-length', ...Object.keys(headers)])
    const options = { expiresIn: expiresS, signableHeaders: names, unhoistableHeaders: names }
    return { url: await this.#call(() => getSignedUrl(this.#client, command, options)), headers }
  }

  get #prefix(): string {
    return this.#at.prefix === '' ? '' : `${this.#at.prefix}/`
  }

  get #name(): string {
    return `the bucket '${this.#at.bucket}'`
  }

  #where(key: string) {
    assertKey(key)
    return { Bucket: this.#at.bucket, Key: this.#prefix + key }
  }

  async #orNone<T>(call: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    return this.#call(async (signal) => {
      try {
        return await call(signal)
      } catch (error) {
        // A HEAD has no body that could say that the bucket is missing; `ready` does.
        if (statusOf(error) === 404 && (error as Error).name !== 'NoSuchBucket') return undefined
        throw error
      }
    })
  }

  async #call<T>(call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const deadline = new AbortController()
    const timer = setTimeout(() => deadline.abort(), CALL_MS)
    try {
      return await call(deadline.signal)
    } catch (cause) {
      throw new ObjectStoreError(this.#why(cause as Error), { cause })
    } finally {
      clearTimeout(timer)
    }
  }

  /** What an operator can do something about is told apart. */
  #why(error: Error): string {
    if (error.name === 'NoSuchBucket') return `${this.#name} is not there`
    if (statusOf(error) === 403 || error.name === 'CredentialsProviderError')
      return `the credentials do not open ${this.#name} (${error.name})`
    if (error.name === 'AbortError' || error.name === 'TimeoutError') return `${this.#name} does not answer in time`
    if (error.message === 'Region is missing') return `no region is named for ${this.#name} (AWS_REGION)`
    const { code = error.name } = error as NodeJS.ErrnoException
    return `${this.#name} cannot be reached (${statusOf(error) ?? code})`
  }
}

function clientOf({ endpoint, region, pathStyle }: S3Location): S3Client {
  return new S3Client({
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
    forcePathStyle: pathStyle,
    maxAttempts: ATTEMPTS,
    // Servers that are not AWS know no checksums in trailers; what is kept here bears its hash in its name.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: { connectionTimeout: CONNECT_MS, socketTimeout: SILENCE_MS },
  })
}

function statusOf(error: unknown): number | undefined {
  return (error as Partial<S3ServiceException>).$metadata?.httpStatusCode
}
