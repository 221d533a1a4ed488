/** A command of the table: what `--help` shows, what the shell completes, and what runs. */

export type Option = [flags: string, description: string, preset?: string]

export interface CommandEntry {
  /** Under which heading `onepeace --help` lists it. */
  area: 'Your own files' | 'The service' | 'Ask the model' | 'Models' | 'This program'
  /** The command it belongs to, if it is one of several. */
  group?: 'keys' | 'migrate'
  /** Name and arguments, as commander writes them. */
  usage: string
  description: string
  /** What else is worth knowing; whole sentences. */
  details?: string
  /** Command lines without the `onepeace` before them; at least one. */
  examples: readonly string[]
  options: readonly Option[]
  required?: readonly Option[]
  /** Loads the command only when it is asked for. */
  run(...args: never[]): Promise<unknown>
}

/** Commands that have several. */
export const GROUPS: Record<NonNullable<CommandEntry['group']>, Pick<CommandEntry, 'description' | 'area'>> = {
  keys: { description: 'make, list and revoke the keys of the service', area: 'The service' },
  migrate: { description: 'give stored collections what newer versions need', area: 'The service' },
}

export const DATA: Option = ['--data <dir>', 'folder of all that is kept (default: ./data, env ONEPEACE_DATA)']
export const MODEL: Option = ['--model <bundle>', 'bundle to use (default: models/onepeace-nano, env ONEPEACE_MODEL)']
export const JSON_OUT: Option = ['--json', 'print the result as JSON']
const URL_OPTION: Option = [
  '--url <address>',
  'service to ask (env ONEPEACE_URL; its key: ONEPEACE_API_KEY); default: the one on this machine, else one within this process',
]
export const COLLECTION: Option = ['--collection <name>', 'collection', 'files']
/** Of commands that ask a service. */
export const SERVICE: readonly Option[] = [URL_OPTION, DATA, MODEL]
