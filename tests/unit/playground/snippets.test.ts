/** Snippets are run, not read: each language's against a live server, with what a shell or a form could take amiss. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ApiCall } from '../../../playground/src/api/call.ts'
import { addItemCall, zeroShotCall } from '../../../playground/src/api/calls.ts'
import { type Part, searchCall } from '../../../playground/src/logic/parts.ts'
import { type Language, snippet } from '../../../playground/src/logic/snippets.ts'
import { type Harness, startHarness } from '../../api/harness.ts'
import { png } from '../../api/pictures.ts'

const run = promisify(execFile)
const PYTHON = process.env.ONEPEACE_PYTHON ?? 'python3'
/** Names and words that a shell, curl or a form could read as something else. */
const FILE = `it's; "a" red,picture $HOME.png`
const WORDS = `@home; it's "5" <b>\`date\`</b> $PATH üñ`
const options = { modalities: ['text', 'image'], limit: 5, diversity: 0.5, ground: false } as const

let h: Harness
let origin: string
let dir: string
const runs = (program: string, ...args: string[]) =>
  run(program, args).then(
    () => true,
    () => false,
  )
const able: Record<Language, boolean> = {
  curl: await runs('curl', '--version'),
  TypeScript: true,
  Python: await runs(PYTHON, '-c', 'import httpx'),
}
if (!able.curl) console.warn('SKIPPED: curl snippets are not run, as there is no curl.')
if (!able.Python)
  console.warn('SKIPPED: Python snippets are not run, as there is no Python with httpx; ONEPEACE_PYTHON names one.')

const picture = new Blob([png(30, 20) as Uint8Array<ArrayBuffer>])
const part = (content: Partial<Part>, weight = 1) => ({ key: 0, weight, ...content }) as Part
const words = part({ kind: 'text', text: WORDS })
const red = part({ kind: 'image', file: picture, name: FILE }, -0.5)

const CALLS: Record<string, ApiCall> = {
  'a search by words': searchCall('things', [part({ kind: 'text', text: `${WORDS}\nand a line more` })], options),
  'a search by weighted words and a picture': searchCall('things', [words, red], options),
  'labels of a picture': zeroShotCall({ kind: 'image', file: picture, name: FILE }, [WORDS, 'cat'], 'a photo of a {}'),
  'an item from a file': addItemCall('others', { kind: 'image', file: picture, name: FILE }),
  'a list': { method: 'GET', path: '/v1/collections/things/items?limit=2' },
}

const RUNNERS: Record<Language, (code: string) => Promise<string>> = {
  curl: async (code) => (await run('bash', ['-c', `${code} -sS`], { cwd: dir })).stdout,
  TypeScript: async (code) => {
    await writeFile(
      join(dir, 'snippet.mjs'),
      code.replace('console.log(await response.json())', 'console.log(await response.text())'),
    )
    return (await run(process.execPath, ['snippet.mjs'], { cwd: dir })).stdout
  },
  Python: async (code) => {
    await writeFile(join(dir, 'snippet.py'), code.replace('print(response.json())', 'print(response.text)'))
    return (await run(PYTHON, ['snippet.py'], { cwd: dir })).stdout
  },
}

beforeAll(async () => {
  h = await startHarness()
  origin = await h.app.listen({ host: '127.0.0.1', port: 0 })
  dir = await mkdtemp(join(tmpdir(), 'onepeace-snippets-'))
  await writeFile(join(dir, FILE), png(30, 20))
  for (const name of ['things', 'others'])
    await h.app.inject({ method: 'POST', url: '/v1/collections', payload: { name } })
  await h.app.inject({ method: 'POST', url: '/v1/collections/things/items', payload: { id: 'words', input: WORDS } })
})
afterAll(async () => {
  await h.close()
  await rm(dir, { recursive: true, force: true })
})

/** What the page itself would get. */
async function sent({ method, path, json, form }: ApiCall): Promise<Record<string, unknown>> {
  const data = new FormData()
  for (const field of form ?? []) {
    if ('text' in field) data.append(field.name, field.text)
    else data.append(field.name, field.file, field.fileName)
  }
  const headers = json === undefined ? {} : { 'content-type': 'application/json' }
  const body = form ? data : json === undefined ? null : JSON.stringify(json)
  const response = await fetch(origin + path, { method, headers, body })
  expect(response.ok).toBe(true)
  return comparable(await response.json())
}

/** Without what differs from one time to the next. */
function comparable(answer: unknown): Record<string, unknown> {
  const { took_ms: _, id: __, created_at: ___, media_url: ____, ...same } = answer as Record<string, unknown>
  return same
}

for (const language of ['curl', 'TypeScript', 'Python'] as const) {
  describe.skipIf(!able[language])(`a ${language} snippet`, () => {
    it.each(Object.keys(CALLS))('gets what the page got: %s', async (name) => {
      const call = CALLS[name]!
      const answer = await RUNNERS[language](snippet(language, call, { origin, withKey: false }))
      expect(comparable(JSON.parse(answer))).toEqual(await sent(call))
    })

    it('reads the key from the environment, and never holds it', () => {
      const code = snippet(language, CALLS['a list']!, { origin, withKey: true })
      expect(code).toContain('ONEPEACE_KEY')
    })
  })
}
