/** The table of commands: its help is docs/cli.md, its examples are true, and shells complete it. */
import { execFile, execFileSync } from 'node:child_process'
import { promisify } from 'node:util'
import type { Command } from 'commander'
import { expect, it } from 'vitest'
import { completion } from '../../../src/commands/completion.ts'
import { buildProgram } from '../../../src/commands/program.ts'

const program = buildProgram('0.0.0')
const exec = promisify(execFile)

function below(command: Command, path = ''): [path: string, command: Command][] {
  const own: [string, Command][] = path === '' || command.commands.length > 0 ? [] : [[path, command]]
  return [...own, ...command.commands.flatMap((each) => below(each, `${path} ${each.name()}`.trim()))]
}

function helpOf(command: Command): string {
  let said = ''
  command.configureOutput({ writeOut: (text) => (said += text) })
  command.outputHelp()
  return said.trimEnd()
}

it('is described in docs/cli.md, a section a command (`vitest -u` writes it)', async () => {
  const sections = below(program).map(
    ([path, command]) => `## onepeace ${path}\n\n\`\`\`text\n${helpOf(command)}\n\`\`\`\n`,
  )
  const intro = `# The command line

<!-- nothing to run: made from the program's help; its tests hold it to that -->

Made from the program's own help, which \`onepeace COMMAND --help\` shows. In a clone of the repository the program is \`npx onepeace\`.
Results go to standard output, as JSON with \`--json\`; everything else goes to standard error. The exit code is 0 if all went well.

Commands with \`--url\` ask a service: the one at \`--url\` or ONEPEACE_URL, with the key in ONEPEACE_API_KEY; without an address, the one
that runs on this machine; if there is none, one within their own process, on the data folder. \`onepeace serve\` keeps one ready, and
spares them the loading of the model.
`
  await expect([intro, ...sections].join('\n')).toMatchFileSnapshot('../../../docs/cli.md')
})

it('has examples for every command, which use commands and flags that there are', () => {
  for (const [path, command] of below(program)) {
    const help = helpOf(command)
    const examples = help.slice(help.indexOf('Examples:')).match(/^ {2}\$ onepeace .*/gm) ?? []
    expect(examples, path).not.toEqual([])
    for (const example of examples) {
      expect(example).toMatch(new RegExp(`^  \\$ onepeace ${path}( |$)`))
      const flags = [...example.matchAll(/ (--[\w-]+)/g)].map(([, flag]) => flag)
      expect(command.options.map(({ long }) => long)).toEqual(expect.arrayContaining(flags))
    }
  }
})

it('prints results as JSON wherever there are some', () => {
  // embed prints JSON lines anyway
  const silent = ['serve', 'encoder', 'worker', 'mcp', 'keys revoke', 'migrate apply', 'reembed', 'completion', 'embed']
  for (const [path, { options }] of below(program)) {
    if (!silent.includes(path))
      expect(
        options.map(({ long }) => long),
        path,
      ).toContain('--json')
  }
})

/** What bash offers for a line whose last word is being typed. */
async function offered(...words: string[]): Promise<string[]> {
  const script = `${completion('bash', program)}
COMP_WORDS=(onepeace "$@"); COMP_CWORD=$#; _onepeace; printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout } = await exec('bash', ['-c', script, 'bash', ...words], { cwd: '/' })
  return stdout.trim().split('\n')
}

it('completes commands, those of a group, and flags in bash', async () => {
  expect(await offered('se')).toEqual(['search', 'serve'])
  expect(await offered('keys', '')).toEqual(expect.arrayContaining(['create', 'list', 'revoke']))
  expect(await offered('import', 'pictures', '--col')).toEqual(['--collection'])
  expect(await offered('keys', 'create', '--sc')).toEqual(['--scopes'])
})

const has = (shell: string): boolean => {
  try {
    execFileSync(shell, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    console.warn(`There is no ${shell} here: its completion is not tried.`)
    return false
  }
}

it.skipIf(!has('zsh'))('gives zsh a script that it can read', async () => {
  await exec('zsh', ['-n', '-c', completion('zsh', program)])
})

it.skipIf(!has('fish'))('gives fish a script that completes', async () => {
  const script = `${completion('fish', program)}\ncomplete -C 'onepeace keys cr'`
  expect((await exec('fish', ['-c', script])).stdout).toMatch(/^create\t/)
})

it('says which shells it knows', () => {
  expect(() => completion('tcsh', program)).toThrow(/bash, zsh and fish/)
})
