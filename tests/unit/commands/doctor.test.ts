/** What `onepeace doctor` makes of a machine: well, worth a warning, or not fit. */
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { keysFinding, portFinding } from '../../../src/doctor/access.ts'
import { cpuFinding, diskFinding, memoryFinding, nodeFinding } from '../../../src/doctor/machine.ts'
import { qdrantFinding } from '../../../src/doctor/qdrant.ts'
import { onepeace } from '../../command-line.ts'

let dir: string
const servers: Server[] = []
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-doctor-'))
})
afterEach(async () => {
  for (const server of servers.splice(0)) server.close()
  await rm(dir, { recursive: true, force: true })
})

/** A server on a free port that answers as told. */
async function serving(answer: (path: string, key: string | undefined) => [status: number, body: object]) {
  const server = createServer(({ url, headers }, response) => {
    const [status, body] = answer(url!, headers['api-key'] as string | undefined)
    response.writeHead(status, { connection: 'close' }).end(JSON.stringify(body))
  }).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

it('knows which Node is enough, and which gets no fixes any more', () => {
  expect(nodeFinding('20.18.1')).toMatchObject({ status: 'fail', advice: expect.stringContaining('20.19') })
  expect(nodeFinding('20.20.0').status).toBe('warn')
  expect(nodeFinding('24.1.0').status).toBe('ok')
})

it('reads what the processor can do', () => {
  expect(cpuFinding('flags\t\t: fpu avx2 avx512f avx512_vnni\n')).toMatchObject({
    status: 'ok',
    found: expect.stringContaining('avx2, avx512f, avx512_vnni'),
  })
  expect(cpuFinding('Features\t: fp asimd asimddp\n').status).toBe('ok')
  expect(cpuFinding('flags\t\t: fpu sse2\n')).toMatchObject({ status: 'warn', advice: expect.stringContaining('AVX2') })
  expect(cpuFinding(undefined).status).toBe('ok')
})

it('compares memory with the model, and finds the disk of a folder that is not there yet', async () => {
  expect(memoryFinding(2e9, 16e6).status).toBe('ok')
  expect(memoryFinding(8e9, 16e9)).toMatchObject({
    status: 'warn',
    found: '8.0 GB free; some 24.4 GB needed with this model',
  })
  expect((await diskFinding(join(dir, 'not', 'yet'))).found).toMatch(/GB free/)
})

it('holds keys and address against each other, as `serve` does', async () => {
  const where = { host: '127.0.0.1', port: 0, dataDir: dir, noAuth: false }
  expect((await keysFinding(where)).status).toBe('ok')
  expect(await keysFinding({ ...where, host: '0.0.0.0' })).toMatchObject({ status: 'fail' })
  expect(await keysFinding({ ...where, host: '0.0.0.0', noAuth: true })).toMatchObject({ status: 'warn' })
  await writeFile(join(dir, 'keys.json'), '{"version": 1, "keys": []}', { mode: 0o600 })
  expect((await keysFinding({ ...where, host: '0.0.0.0' })).status).toBe('ok')
  await chmod(join(dir, 'keys.json'), 0o644)
  expect(await keysFinding(where)).toMatchObject({ status: 'warn', advice: expect.stringContaining('chmod 600') })
  await writeFile(join(dir, 'keys.json'), 'no JSON')
  expect((await keysFinding(where)).status).toBe('fail')
})

it('tells a free port from one of another program, and from its own', async () => {
  const where = { host: '127.0.0.1', port: 0, dataDir: dir, noAuth: false }
  expect((await portFinding(where, async () => false)).status).toBe('ok')
  const port = await serving(() => [200, {}])
  expect((await portFinding({ ...where, port }, async () => false)).status).toBe('fail')
  expect(await portFinding({ ...where, port }, async () => true)).toMatchObject({ status: 'ok' })
  expect(await portFinding({ ...where, host: '203.0.113.1' }, async () => false)).toMatchObject({
    status: 'fail',
    found: expect.stringContaining('no address of this machine'),
  })
})

it('asks Qdrant for its version and tries the key', async () => {
  const port = await serving((path, key) =>
    path === '/' ? [200, { version: '1.17.0' }] : [key === 'right' ? 200 : 401, {}],
  )
  const url = `http://127.0.0.1:${port}`
  expect(await qdrantFinding(url, 'right')).toMatchObject({ status: 'ok', found: 'Qdrant 1.17.0' })
  expect(await qdrantFinding(`${url}/`, 'wrong')).toMatchObject({
    status: 'fail',
    found: expect.stringContaining('key'),
  })
  const old = await serving(() => [200, { version: '1.9.2' }])
  expect(await qdrantFinding(`http://127.0.0.1:${old}`, undefined)).toMatchObject({
    status: 'fail',
    found: 'Qdrant 1.9.2',
  })
  expect(await qdrantFinding('http://127.0.0.1:9', undefined)).toMatchObject({ status: 'fail' })
})

it('passes on this machine with the default model, and leaves no trace', async () => {
  const data = join(dir, 'data')
  const { code, stdout } = await onepeace(['doctor', '--json', '--port', '0', '--data', data])
  const { ok, findings } = JSON.parse(stdout)
  const checks = ['Node', 'processor', 'memory', 'disk', 'model', 'store', 'keys', 'port']
  expect(findings.map(({ check }: { check: string }) => check)).toEqual(checks)
  expect({ ok, code }).toEqual({ ok: true, code: 0 })
  expect(findings[4]).toMatchObject({ status: 'ok', found: expect.stringContaining('onepeace-nano') })
  await expect(mkdir(data)).resolves.toBeUndefined() // it was not there
})

it('fails, and says what to do, with a folder of other files and a model that is none', async () => {
  await writeFile(join(dir, 'letter.txt'), '')
  const { code, stdout } = await onepeace(['doctor', '--port', '0', '--data', dir, '--model', dir])
  expect(code).toBe(1)
  expect(stdout).toMatch(/✗ FAIL {2}model .*no bundle[^\n]*\n +→ .*onepeace convert/)
  expect(stdout).toMatch(/✗ FAIL {2}store .*holds other files[^\n]*\n +→ .*--data/)
})
