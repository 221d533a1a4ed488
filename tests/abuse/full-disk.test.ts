/** A disk of three megabytes, filled to the brim: what was acknowledged stays, the rest is refused with a clear word. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { call } from '../api/conforms.ts'
import { startHarness } from '../api/harness.ts'

const disk = mkdtempSync(join(tmpdir(), 'onepeace-full-'))
const mounted = mount()
afterAll(() => {
  if (mounted) execFileSync('umount', ['-l', disk])
  rmSync(disk, { recursive: true, force: true })
})

function mount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', disk], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

it.skipIf(!mounted).each([
  ['originals', 60_000],
  ['vectors', 10],
])('full of %s: a 503 that says so, and every acknowledged item whole after a restart', async (what, chars) => {
  const dir = join(disk, what)
  const first = await startHarness({ dir })
  await call(first.app, { method: 'POST', url: '/v1/collections', payload: { name: 'full' } })
  const acknowledged: string[] = []
  const put = async (id: string) => {
    const payload = { id, input: `${id} `.padEnd(chars, 'x'), metadata: { id } }
    return call(first.app, { method: 'POST', url: '/v1/collections/full/items', payload })
  }
  let refused: Awaited<ReturnType<typeof put>> | undefined
  for (let n = 0; n < 5000 && refused === undefined; n++) {
    const response = await put(`item-${n}`)
    if (response.statusCode === 201) acknowledged.push(`item-${n}`)
    else refused = response
  }
  expect(refused?.json()).toMatchObject({ status: 503, code: 'vector-store-unavailable' })
  expect(Number(refused?.headers['retry-after'])).toBeGreaterThan(0)
  expect(acknowledged.length).toBeGreaterThan(5)
  await first.close()

  execFileSync('mount', ['-o', 'remount,size=30m', disk])
  const second = await startHarness({ dir })
  const get = (url: string) => call(second.app, { method: 'GET', url })
  const { items } = (await get('/v1/collections/full/items?limit=1000')).json()
  expect(items.map(({ id }: { id: string }) => id).sort()).toEqual([...acknowledged].sort())
  for (const { id, media_url } of items) expect((await get(media_url)).body.split(' ')[0]).toBe(id)
  const again = { id: 'after', input: 'room again' }
  const created = await call(second.app, { method: 'POST', url: '/v1/collections/full/items', payload: again })
  expect(created.statusCode).toBe(201)
  await second.close()
  rmSync(dir, { recursive: true })
  execFileSync('mount', ['-o', 'remount,size=3m', disk])
})
