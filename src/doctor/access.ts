/** Keys, whom the address lets in, and whether the port is free. */
import { stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { keyFileOf, parseKeys, readKeys } from '../auth/key-file.ts'
import { isLoopback } from '../http/plugins/loopback-guard.ts'
import { type Finding, fail, ok, warn } from './finding.ts'

interface Where {
  host: string
  port: number
  dataDir: string
  noAuth: boolean
  /** Where the keys are, if not in the data folder. */
  keys?: { text: string } | { file: string } | undefined
}

/** As `serve` decides it. */
export async function keysFinding({ host, dataDir, noAuth, keys: given }: Where): Promise<Finding> {
  const path = given === undefined ? keyFileOf(dataDir) : 'file' in given ? given.file : 'ONEPEACE_KEYS'
  try {
    const keys = given && 'text' in given ? parseKeys(given.text, path) : await readKeys(path)
    if (given && keys === undefined) return fail('keys', `there is no file ${path}`, 'Mend ONEPEACE_KEYS_FILE.')
    if (noAuth && !isLoopback(host)) {
      return warn(
        'keys',
        `none asked for on ${host}`,
        'Whoever reaches the port may read and write: leave --no-auth out.',
      )
    }
    if (keys === undefined) {
      if (isLoopback(host)) return ok('keys', `none, and ${host} is reached from this machine alone`)
      const advice = 'Make one with `onepeace keys create`; without, `serve` refuses this address.'
      return fail('keys', `none, and ${host} is reached from other machines`, advice)
    }
    const others = given === undefined && (await stat(path)).mode & 0o077
    if (others) return warn('keys', `${path} may be read by others`, `Say: chmod 600 ${path}`)
    return ok('keys', keys.length === 1 ? 'one' : String(keys.length))
  } catch (error) {
    return fail('keys', (error as Error).message, `Repair ${path}, or move it away and make new keys.`)
  }
}

const REFUSALS: Record<string, string> = {
  EADDRINUSE: 'taken by another program',
  EACCES: 'not allowed to this user',
  EADDRNOTAVAIL: 'no address of this machine',
  ENOTFOUND: 'no address of this machine',
}

/** @param isOnepeace whether the program that listens there already is this service */
export async function portFinding({ host, port }: Where, isOnepeace: () => Promise<boolean>): Promise<Finding> {
  const code = await refusalOf(host, port)
  const place = `${host}:${port}`
  if (code === undefined) return ok('port', `${place} is free`)
  if (code === 'EADDRINUSE' && (await isOnepeace())) return ok('port', `${place}: onepeace is running there`)
  return fail('port', `${place} is ${REFUSALS[code] ?? `refused (${code})`}`, 'Choose another with --port or --host.')
}

/** @returns the error's code, or undefined if one may listen */
function refusalOf(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code ?? 'unknown'))
    server.listen({ host, port }, () => server.close(() => resolve(undefined)))
  })
}
