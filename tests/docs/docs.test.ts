/** The pages' blocks do what they say, or at least run: tests/docs/README.md tells how. */
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Block, blocksOf, notesOf } from './blocks.ts'
import { PREPARED } from './prepared.ts'
import { PageRun, PYTHON } from './run-page.ts'
import { checkSyntax, SHOWN } from './syntax.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** In this order: what the shell made, the others may use. */
const RUN = ['sh', 'ts', 'python']
/** Pages with much to do, samples to fill in among it, on a machine that may be busy. */
const SLOW = 240_000

/** Every page of docs/, and the READMEs of the rooms that users enter. */
async function pages(): Promise<string[]> {
  const docs = (await readdir(join(ROOT, 'docs'))).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)
  const rooms = ['.', 'sdk/typescript', 'sdk/python', 'examples/langchain', 'playground', 'training', 'bench']
  return [...rooms.map((room) => join(room, 'README.md')), ...docs.sort()]
}

const ALL = await Promise.all(
  (await pages()).map(async (page) => {
    const text = await readFile(join(ROOT, page), 'utf8')
    return { page, text, blocks: blocksOf(text), notes: notesOf(text) }
  }),
)

const isRun = ({ language, notRun }: Block) => RUN.includes(language) && !notRun

describe.each(ALL)('$page', ({ page, text, blocks, notes }) => {
  it('has a block that is run, or says why there is nothing to run', () => {
    const runs = blocks.some((block) => isRun(block) && !block.isHidden)
    if (runs) expect(notes.nothingToRun, 'it says that there is nothing to run').toBeUndefined()
    else expect(notes.nothingToRun, `${page} needs a block that runs, or <!-- nothing to run: why -->`).toBeTruthy()
  })

  it('has blocks of known languages, each of them well-formed', () => {
    for (const block of blocks) checkSyntax(block)
  })

  it('links to what is there', () => {
    const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!.replace(/#.*$/, ''))
    const lost = targets.filter((target) => target !== '' && !/^[a-z]+:/.test(target))
    expect(lost.filter((target) => !existsSync(join(ROOT, dirname(page), target)))).toEqual([])
  })

  if (!blocks.some(isRun)) return
  describe('run', () => {
    let run: PageRun
    beforeAll(async () => {
      run = await PageRun.start(dirname(join(ROOT, page)), notes.serve)
      await PREPARED[page]?.(run.dir)
    }, SLOW)
    afterAll(() => run?.stop())
    for (const language of RUN) {
      const those = blocks.filter((block) => isRun(block) && block.language === language)
      // Without that Python the skip is counted and shown; `.ci/run` has it.
      const test = language === 'python' && PYTHON === undefined ? it.skip : it
      if (those.length > 0) test(`does its ${language} blocks`, { timeout: SLOW }, () => run.run(language, those))
    }
  })
})

describe('all pages', () => {
  it('are in the index, and the index is in the README', async () => {
    const { text: index } = ALL.find(({ page }) => page === 'docs/README.md')!
    const own = ALL.filter(({ page }) => page.startsWith('docs/') && page !== 'docs/README.md')
    expect(own.map(({ page }) => basename(page)).filter((page) => !index.includes(`](${page})`))).toEqual([])
    expect(ALL[0]!.text).toContain('](docs/README.md)')
  })

  it('run all their blocks but those listed in not-run.txt (vitest -u rewrites it)', async () => {
    const list = ALL.flatMap(({ page, blocks }) =>
      blocks.filter(({ notRun }) => notRun).map(({ language, notRun }) => `${page} (${language}): ${notRun}`),
    )
    await expect(`${list.join('\n')}\n`).toMatchFileSnapshot('not-run.txt')
    const shown = ALL.flatMap(({ page, blocks }) => blocks.filter(({ language }) => language === SHOWN).map(() => page))
    console.info(`Not run: ${list.length} blocks (tests/docs/not-run.txt); only shown: ${shown.length}.`)
  })
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
      '  <!-- not run: a shape -->',
      '  ```json',
      '  {}',
      '  ```',
    ].join('\n')
    expect(blocksOf(page)).toEqual([
      { language: 'sh', text: 'echo 1\n', line: 2 },
      { language: 'sh', text: 'sleep 1d\n', line: 6, notRun: 'it never ends' },
      { language: 'sh', text: 'mkdir folder\n', line: 9, isHidden: true },
      { language: 'json', text: '{}\n', line: 12, notRun: 'a shape' },
    ])
    expect(notesOf('<!-- serve: --samples --no-auth -->\n<!-- nothing to run: prose -->')).toEqual({
      serve: ['--samples', '--no-auth'],
      nothingToRun: 'prose',
    })
    expect(notesOf('Text')).toEqual({ serve: [] })
  })

  it('fails where one of its blocks does', async () => {
    const run = await PageRun.start(join(ROOT, 'docs'))
    const block = (language: string, text: string) => run.run(language, [{ language, text, line: 1 }])
    await expect(block('sh', 'false\necho after\n')).rejects.toThrow('Exit 1')
    await expect(block('sh', 'curl localhost:8080/v1/nothing')).rejects.toThrow('There is no such path')
    await expect(block('ts', "throw new Error('no')")).rejects.toThrow('no')
    await block('sh', 'curl localhost:8080/livez && ls pizza.png && npx onepeace --help')
    await run.stop()
  })

  it('fails where a block that is not run could not run', () => {
    const check = (language: string, text: string) => () => checkSyntax({ language, text, line: 7 })
    expect(check('sh', 'if true; then')).toThrow('Line 7')
    expect(check('ts', 'const = 1')).toThrow('Line 7')
    expect(check('python', 'def f(:')).toThrow('Line 7')
    expect(check('json', '{')).toThrow('Line 7')
    expect(check('ndjson', '{}\n{')).toThrow('Line 7')
    expect(check('yaml', 'a: [')).toThrow('Line 7')
    expect(check('', 'x')).toThrow("a block of ''")
    check('sh', 'npx onepeace serve')()
  })
})
