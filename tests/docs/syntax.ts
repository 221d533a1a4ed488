/** Whether what is not run could be run at all, as far as its language tells. */
import { spawnSync } from 'node:child_process'
import ts from 'typescript'
import { parse } from 'yaml'
import type { Block } from './blocks.ts'

/** Shown, and never run: output, and formats that no program reads. */
export const SHOWN = 'text'

type Check = (text: string) => void

/** @throws with what is wrong */
export const CHECKS: Readonly<Record<string, Check>> = {
  sh: (text) => run('bash', ['-n', '-c', text]),
  python: (text) =>
    run(process.env.ONEPEACE_PYTHON ?? 'python3', ['-c', 'import ast, sys; ast.parse(sys.argv[1])', text]),
  ts: (text) => {
    const { diagnostics = [] } = ts.transpileModule(text, { reportDiagnostics: true })
    if (diagnostics[0]) throw new SyntaxError(ts.flattenDiagnosticMessageText(diagnostics[0].messageText, '\n'))
  },
  json: (text) => void JSON.parse(text),
  ndjson: (text) => {
    for (const line of text.split('\n')) if (line !== '') JSON.parse(line)
  },
  yaml: (text) => void parse(text),
  [SHOWN]: () => {},
}

export function checkSyntax({ language, text, line }: Block): void {
  const check = Object.hasOwn(CHECKS, language) ? CHECKS[language] : undefined
  if (!check)
    throw new SyntaxError(`Line ${line}: a block of '${language}'; known are ${Object.keys(CHECKS).join(', ')}.`)
  try {
    check(text)
  } catch (error) {
    throw new SyntaxError(`Line ${line}: ${(error as Error).message}`, { cause: error })
  }
}

function run(command: string, args: string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  // Without a Python there is nothing to ask; `.ci/run` has one.
  if (error && 'code' in error && error.code === 'ENOENT') console.warn(`SKIPPED: there is no ${command}.`)
  else if (status !== 0) throw new SyntaxError(stderr)
}
