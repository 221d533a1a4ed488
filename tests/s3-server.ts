/**
 * A server that speaks S3, as a process on a free port with an empty bucket. `ONEPEACE_S3_SERVER` names its executable:
 * `versitygw` (Go; checks signatures, as AWS does) or `moto_server` (Python; does not). Tests that need one skip, aloud, without.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { end, freePort } from './processes.ts'

export const S3_SERVER = process.env.ONEPEACE_S3_SERVER || onPath('versitygw') || onPath('moto_server')
export const CHECKS_SIGNATURES = basename(S3_SERVER ?? '') === 'versitygw'
if (S3_SERVER === undefined) console.warn('No versitygw or moto_server (ONEPEACE_S3_SERVER): tests on S3 are skipped.')

/** As AWS's tools find them in the environment. */
export const CREDENTIALS = {
  AWS_ACCESS_KEY_ID: 'onepeace-tests',
  AWS_SECRET_ACCESS_KEY: 'a-secret-of-the-tests',
  AWS_REGION: 'us-east-1',
}
export const BUCKET = 'media-of-tests'

export interface S3Server {
  endpoint: string
  /** Ends it. What it keeps stays until `close` (moto keeps nothing). */
  stop(): Promise<void>
  /** Starts it again at the same address. */
  start(): Promise<void>
  close(): Promise<void>
}

export async function startS3Server(): Promise<S3Server> {
  const dir = await mkdtemp(join(tmpdir(), 'onepeace-s3-'))
  const port = await freePort()
  const endpoint = `http://127.0.0.1:${port}`
  let child: ChildProcess | undefined
  const start = async () => {
    child = CHECKS_SIGNATURES ? startGateway(port, dir) : startMoto(port)
    await untilReached(endpoint, child)
    await makeBucket(endpoint)
  }
  const stop = async () => {
    if (child !== undefined) await end(child, 'SIGKILL')
  }
  await start()
  return {
    endpoint,
    start,
    stop,
    close: async () => {
      await stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

function onPath(name: string): string | undefined {
  try {
    return execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim()
  } catch {
    return undefined
  }
}

function startGateway(port: number, dir: string): ChildProcess {
  mkdirSync(join(dir, 'data'), { recursive: true })
  const args = ['--quiet', '--port', `127.0.0.1:${port}`, 'posix', join(dir, 'data')]
  const env = { ROOT_ACCESS_KEY: CREDENTIALS.AWS_ACCESS_KEY_ID, ROOT_SECRET_KEY: CREDENTIALS.AWS_SECRET_ACCESS_KEY }
  return spawn(S3_SERVER!, args, { stdio: 'ignore', env: { ...process.env, ...env } })
}

function startMoto(port: number): ChildProcess {
  return spawn(S3_SERVER!, ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' })
}

async function untilReached(endpoint: string, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (child.exitCode !== null) break
    try {
      await (await fetch(endpoint)).body?.cancel()
      return
    } catch {
      await sleep(100)
    }
  }
  throw new Error(`${S3_SERVER} did not start.`)
}

async function makeBucket(endpoint: string): Promise<void> {
  const credentials = {
    accessKeyId: CREDENTIALS.AWS_ACCESS_KEY_ID,
    secretAccessKey: CREDENTIALS.AWS_SECRET_ACCESS_KEY,
  }
  const client = new S3Client({ endpoint, region: CREDENTIALS.AWS_REGION, forcePathStyle: true, credentials })
  await client.send(new CreateBucketCommand({ Bucket: BUCKET })).catch((error: Error) => {
    if (!error.name.startsWith('BucketAlready')) throw error
  })
  client.destroy()
}
