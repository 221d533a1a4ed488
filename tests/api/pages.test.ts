/** The pages as they are served: open to anyone, of this host alone, kept by browsers as long as they may. */
import { existsSync } from 'node:fs'
import { request } from 'node:http'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { changeKeys, keyFileOf } from '../../src/auth/key-file.ts'
import { newKey } from '../../src/auth/keys.ts'
import { call } from './conforms.ts'
import { type Harness, startHarness } from './harness.ts'

if (!existsSync('dist/playground/index.html')) throw new Error('The pages are not built: `npm run build` first.')

let h: Harness
let origin: string
beforeAll(async () => {
  h = await startHarness({ host: '0.0.0.0' })
  origin = await h.app.listen({ host: '127.0.0.1', port: 0 })
  const { record } = newKey({ tenant: 'default', scopes: ['read'] })
  await changeKeys(keyFileOf(h.dir), (keys) => [...keys, record])
})
afterAll(() => h.close())

const get = (path: string, headers = {}) => fetch(origin + path, { headers })
const statusOf = (path: string, headers: Record<string, string>) =>
  new Promise((resolve) =>
    request(origin + path, { headers }, (response) => resolve(response.resume().statusCode)).end(),
  )
const assetsOf = (html: string) => [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, path]) => path!)

it.each(['/', '/docs'])('serves %s without a key, from this host alone', async (path) => {
  const page = await get(path)
  expect(page.status).toBe(200)
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
  expect(page.headers.get('cache-control')).toContain('max-age=0')
  const policy = page.headers.get('content-security-policy')
  expect(policy).toContain("default-src 'self'; script-src 'self'; style-src 'self';")
  expect(policy).not.toMatch(/unsafe|https?:|\*/)
  const html = await page.text()
  expect(html).not.toMatch(/<style|<script>| style=|https?:/)
  expect(assetsOf(html).length).toBeGreaterThan(2)
  expect((await get('/v1/models')).status).toBe(401)
})

it('lets assets be kept for a year, as their names say what they hold, and sends them compressed', async () => {
  for (const path of assetsOf(await (await get('/')).text())) {
    const asset = await get(path, { 'accept-encoding': 'br' })
    expect(asset.status).toBe(200)
    expect(asset.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    expect(asset.headers.get('content-encoding')).toBe('br')
    // Not by `fetch`, which asks for no answer out of a cache where it is given such a header.
    const headers = { 'accept-encoding': 'br', 'if-none-match': asset.headers.get('etag')! }
    expect(await statusOf(path, headers)).toBe(304)
  }
})

it('refuses what is no asset, what lies elsewhere, and other methods, as problems', async () => {
  expect((await call(h.app, { method: 'GET', url: '/assets/nosuch.js' })).statusCode).toBe(404)
  for (const url of ['/assets/..%2f..%2fmain.js', '/assets/..%2findex.html', '/assets/%2e%2e%2fdocs.html']) {
    const refused = await call(h.app, { method: 'GET', url })
    expect(refused.statusCode, url).toBe(404)
  }
  const posted = await call(h.app, { method: 'POST', url: '/', payload: {} })
  expect(posted.json()).toMatchObject({ status: 405, code: 'method-not-allowed' })
  expect(posted.headers.allow).toBe('GET, HEAD')
})
