/** The table of commands as a program: arguments, help with examples, and what each runs. */
import { Command } from 'commander'
import { ASKING_COMMANDS } from './entries/asking.ts'
import { type CommandEntry, GROUPS } from './entries/entry.ts'
import { FILE_COMMANDS } from './entries/files.ts'
import { MODEL_COMMANDS } from './entries/models.ts'
import { PROGRAM_COMMANDS } from './entries/program.ts'
import { SERVICE_COMMANDS } from './entries/service.ts'

const COMMANDS: readonly CommandEntry[] = [
  ...FILE_COMMANDS,
  ...ASKING_COMMANDS,
  ...SERVICE_COMMANDS,
  ...MODEL_COMMANDS,
  ...PROGRAM_COMMANDS,
]

/** Columns of the help where the terminal does not say, and of docs/cli.md. */
const HELP_WIDTH = 100

/** @param version of the program */
export function buildProgram(version: string): Command {
  const program = new Command('onepeace')
    .description('ONE-PEACE: one space for words, pictures and sounds')
    .version(version, '--version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false)
    .configureHelp({ helpWidth: HELP_WIDTH, showGlobalOptions: false })
    .showHelpAfterError('(`--help` shows what there is)')
    .addHelpText('after', '\nFirst search:\n  $ onepeace import ~/pictures\n  $ onepeace search "a dog"')
  const groups = new Map<string, Command>()
  for (const entry of COMMANDS) add(entry.group === undefined ? program : groupOf(entry.group, program, groups), entry)
  return program
}

function groupOf(name: keyof typeof GROUPS, program: Command, groups: Map<string, Command>): Command {
  const known = groups.get(name)
  if (known) return known
  const { description, area } = GROUPS[name]
  const group = program.command(name).description(description).helpGroup(`${area}:`)
  groups.set(name, group)
  return group
}

function add(
  parent: Command,
  { area, usage, description, details, examples, options, required = [], run, group }: CommandEntry,
) {
  const command = parent
    .command(usage)
    .description(details === undefined ? description : `${description}\n\n${details}`)
  command.summary(description)
  if (group === undefined) command.helpGroup(`${area}:`)
  for (const [flags, text] of required) command.requiredOption(flags, text)
  for (const [flags, text, preset] of options) command.option(flags, text, preset)
  command.addHelpText('after', `\nExamples:\n${examples.map((example) => `  $ onepeace ${example}`).join('\n')}`)
  command.action(run as (...args: unknown[]) => Promise<void>)
}
