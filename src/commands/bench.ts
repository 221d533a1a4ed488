/** `onepeace bench`: the measurements in bench/, by name. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ConfigError } from '../config.ts'
import { didYouMean } from '../terminal/closest.ts'
import { printJson } from '../terminal/print.ts'
import { asTable } from '../terminal/table.ts'

const DIR = fileURLToPath(new URL('../../bench', import.meta.url))

interface Bench {
  name: string
  /** The question that it answers. */
  question: string
}

/** Without a name, lists them. Takes over the exit code. @throws ConfigError if there is none of the name */
export async function bench(
  name: string | undefined,
  args: readonly string[],
  flags: { json?: boolean },
): Promise<void> {
  const all = await benches()
  if (name === undefined) {
    if (flags.json) printJson(all)
    else
      console.log(
        asTable(
          ['name', 'question'],
          all.map((each) => [each.name, each.question]),
        ),
      )
    return
  }
  if (!all.some((each) => each.name === name)) {
    const names = all.map((each) => each.name)
    throw new ConfigError(`There is no measurement '${name}'; there are ${names.join(', ')}.${didYouMean(name, names)}`)
  }
  const child = spawn(process.execPath, [join(DIR, `${name}.mjs`), ...args], { stdio: 'inherit' })
  const [code] = (await once(child, 'exit')) as [number | null]
  process.exitCode = code ?? 1
}

/** Those scripts that say how they are run; others are parts of them. @throws ConfigError where the folder is not shipped */
async function benches(): Promise<Bench[]> {
  const files = await readdir(DIR).catch(() => {
    throw new ConfigError('The measurements are part of the repository, and not here.')
  })
  const found: Bench[] = []
  for (const file of files.filter((name) => name.endsWith('.mjs')).sort()) {
    const [, comment = ''] = /^\/\*\*(.*?)\*\//s.exec(await readFile(join(DIR, file), 'utf8')) ?? []
    if (!comment.includes(`node bench/${file}`)) continue
    const words = comment.replace(/^ *\*/gm, ' ').replace(/\s+/g, ' ').trim()
    found.push({ name: file.replace('.mjs', ''), question: /^.*?[.?:](?= |$)/.exec(words)?.[0] ?? words })
  }
  return found
}
