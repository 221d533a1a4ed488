/** Runs the blocks of a page in a folder of its own against a service of its own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { startServer } from '../live-server.ts'
import { writeSampleMedia } from '../sample-media.ts'
import type { Block } from './blocks.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
export const PYTHON = process.env.ONEPEACE_PYTHON

/** `npx onepeace` is this checkout's; curl fails where the service refuses. */
const SHELL = `set -euo pipefail
npx() { [ "$1" = onepeace ] || { command npx "$@"; return; }; shift; node "${ROOT}bin/onepeace.js" "$@"; }
curl() { command curl -sS --fail-with-body "$@"; }
`

/** What `serve --samples` says last. */
const ALL_IN = /Try it yourself/

export class PageRun {
  readonly dir: string
  readonly #url: string
  readonly #env: NodeJS.ProcessEnv
  readonly #stop: () => Promise<void>

  private constructor(dir: string, { url, dataDir }: { url: string; dataDir: string }, stop: () => Promise<void>) {
    this.dir = dir
    this.#url = url
    const plain = Object.entries(process.env).filter(([name]) => !/^(ONEPEACE|QDRANT|OTEL|ENCODER)_/.test(name))
    this.#env = { ...Object.fromEntries(plain), HOME: dir, ONEPEACE_URL: url, ONEPEACE_DATA: dataDir }
    this.#stop = stop
  }

  /**
   * @param pageDir folder of the page, whose own modules its blocks may import
   * @param serve flags of its service; with `--samples` they are all in
   */
  static async start(pageDir: string, serve: readonly string[] = []): Promise<PageRun> {
    const dir = await mkdtemp(join(tmpdir(), 'onepeace-docs-'))
    await writeSampleMedia(dir)
    await symlink(join(ROOT, 'node_modules'), join(dir, 'node_modules'))
    await writeFile(join(dir, 'package.json'), '{"type": "module"}')
    for (const name of await modulesIn(pageDir)) {
      await writeFile(join(dir, name.replace(/\.ts$/, '.js')), compiled(await readFile(join(pageDir, name), 'utf8')))
    }
    const { url, dataDir, stop } = await startServer(serve, {}, serve.includes('--samples') ? ALL_IN : undefined)
    return new PageRun(dir, { url, dataDir }, stop)
  }

  async stop(): Promise<void> {
    await this.#stop()
    await rm(this.dir, { recursive: true, force: true })
  }

  /** @throws with what it said, if a block fails */
  async run(language: string, blocks: readonly Block[]): Promise<void> {
    const source = blocks.map(({ text }) => text).join('\n')
    const here = source.replaceAll(/http:\/\/(127\.0\.0\.1|localhost):8080/g, this.#url)
    const address = this.#url.replace('http://', '')
    const program = here.replaceAll(/\b(127\.0\.0\.1|localhost):8080/g, address)
    if (language === 'sh') await this.#execute('bash', ['-c', SHELL + program])
    else if (language === 'python') await this.#execute(PYTHON!, ['-c', program])
    else if (language === 'ts') {
      const path = join(this.dir, 'page.js')
      await writeFile(path, compiled(program))
      await this.#execute(process.execPath, [path])
    } else throw new Error(`There is no way to run a block of '${language}'.`)
  }

  async #execute(command: string, args: string[]): Promise<void> {
    const child = spawn(command, args, { cwd: this.dir, env: this.#env, stdio: ['ignore', 'pipe', 'pipe'] })
    const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
    if (code !== 0) throw new Error(`Exit ${code}.\n${out}\n${err}`)
  }
}

function compiled(source: string): string {
  const compilerOptions = {
    module: ts.ModuleKind.ESNext,
    target: ts.ScriptTarget.ES2022,
    rewriteRelativeImportExtensions: true,
  }
  return ts.transpileModule(source, { compilerOptions }).outputText
}

async function modulesIn(dir: string): Promise<string[]> {
  return (await readdir(dir)).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
}
