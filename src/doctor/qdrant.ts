/** A Qdrant server, asked for its version and whether the key is right. */
import { type Finding, fail, ok } from './finding.ts'

/** The first version that has what the adapter needs (docs/adr/0011-qdrant-layout.md). */
const LEAST = [1, 17] as const
const PATIENCE_MS = 5000

/** @param url without its path's last slash */
export async function qdrantFinding(url: string, apiKey: string | undefined): Promise<Finding> {
  const ask = (path: string) =>
    fetch(`${url.replace(/\/+$/, '')}${path}`, {
      headers: apiKey === undefined ? {} : { 'api-key': apiKey },
      signal: AbortSignal.timeout(PATIENCE_MS),
    })
  try {
    const { version = '' } = (await (await ask('/')).json()) as { version?: string }
    const { status } = await ask('/collections')
    if (status === 401 || status === 403)
      return fail('store', 'Qdrant refuses the key', 'Put the right one into QDRANT_API_KEY.')
    const [major = 0, minor = 0] = version.split('.').map(Number)
    const isEnough = major > LEAST[0] || (major === LEAST[0] && minor >= LEAST[1])
    if (isEnough && status === 200) return ok('store', `Qdrant ${version}`)
    return fail('store', `Qdrant ${version || 'of an unknown version'}`, `Use Qdrant ${LEAST.join('.')} or later.`)
  } catch {
    return fail(
      'store',
      'Qdrant does not answer at QDRANT_URL',
      'Start it (`docker compose up -d`), or correct QDRANT_URL.',
    )
  }
}
