/** The pages' blocks do what they say, or at least run: tests/docs/README.md tells how. */
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blocksOf } from './blocks.ts'
import { PageRun, PYTHON } from './run-page.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PAGES = [
  'docs/sdk.md',
  'docs/openai.md',
  'docs/mcp.md',
  'docs/searching.md',
  'docs/retries.md',
  'docs/imports.md',
  'docs/media.md',
  'docs/errors.md',
  'sdk/typescript/README.md',
  'sdk/python/README.md',
  'examples/langchain/README.md',
]
/** In this order: what the shell made, the others may use. */
const LANGUAGES = ['sh', 'ts', 'python', 'json']

describe.each(PAGES)('%s', async (page) => {
  const blocks = blocksOf(await readFile(join(ROOT, page), 'utf8'))
  let run: PageRun
  beforeAll(async () => {
    run = await PageRun.start(dirname(join(ROOT, page)))
  })
  afterAll(() => run?.stop())

  it('has blocks of known languages only, or says why one is not run', () => {
    expect(blocks.length).toBeGreaterThan(0)
    const unknown = blocks.filter(({ language, notRun }) => !LANGUAGES.includes(language) && !notRun)
    expect(unknown).toEqual([])
  })

  for (const language of LANGUAGES) {
    const those = blocks.filter((block) => block.language === language && !block.notRun)
    // Without that Python the skip is counted and shown; `.ci/run` has it.
    const test = language === 'python' && PYTHON === undefined ? it.skip : it
    if (those.length > 0) test(`runs its ${language} blocks`, () => run.run(language, those))
  }
})

describe('a page', () => {
  it('is taken apart into blocks, those not run and those not shown among them', () => {
    const page = [
      'Text',
      '```sh',
      'echo 1',
      '```',
      '<!-- not run: it never ends -->',
      '```sh',
      'sleep 1d',
      '```',
      '<!-- sh: mkdir folder -->',
      '- a list',
      '  ```json',
      '  {}',
      '  ```',
    ].join('\n')
    expect(blocksOf(page)).toEqual([
      { language: 'sh', text: 'echo 1\n', line: 2 },
      { language: 'sh', text: 'sleep 1d\n', line: 6, notRun: 'it never ends' },
      { language: 'sh', text: 'mkdir folder\n', line: 9 },
      { language: 'json', text: '{}\n', line: 11 },
    ])
  })

  it('fails where one of its blocks does', async () => {
    const run = await PageRun.start(join(ROOT, 'docs'))
    const block = (language: string, text: string) => run.run(language, [{ language, text, line: 1 }])
    await expect(block('sh', 'false\necho after\n')).rejects.toThrow('Exit 1')
    await expect(block('sh', 'curl localhost:8080/v1/nothing')).rejects.toThrow('There is no such path')
    await expect(block('ts', "throw new Error('no')")).rejects.toThrow('no')
    await expect(block('json', '{')).rejects.toThrow(SyntaxError)
    await block('sh', 'curl localhost:8080/livez && ls pizza.png && npx onepeace --help')
    await run.stop()
  })
})
