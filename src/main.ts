/** The executable: a table of commands, each loaded only when it is asked for. */
import { Command } from 'commander'
import type { ConvertFlags } from './commands/convert.ts'

interface CommandEntry {
  /** The command it belongs to, if it is one of several. */
  group?: string
  /** Name and arguments, as commander writes them. */
  usage: string
  description: string
  /** Flags, description, and default where there is one. */
  options: [flags: string, description: string, preset?: string][]
  required?: [flags: string, description: string][]
  run(...args: never[]): Promise<unknown>
}

const DATA_OPTION: [string, string] = [
  '--data <dir>',
  'folder of all that is kept (default: ./data, env ONEPEACE_DATA)',
]

const COMMANDS: CommandEntry[] = [
  {
    usage: 'serve',
    description: 'serve the REST API, with the embedded model and store',
    options: [
      ['--host <address>', 'address to listen on (default: 127.0.0.1, env ONEPEACE_HOST)'],
      ['--port <number>', 'port to listen on (default: 8080, env ONEPEACE_PORT)'],
      DATA_OPTION,
      ['--model <bundle>', 'bundle to serve (default: models/onepeace-nano, env ONEPEACE_MODEL)'],
      ['--no-auth', 'let other machines in without keys (env ONEPEACE_NO_AUTH=1)'],
      ['--samples', 'fill a collection of sample pictures and sounds on the first run'],
    ],
    run: async (flags: never) => (await import('./commands/serve.ts')).serve(flags),
  },
  {
    group: 'keys',
    usage: 'create',
    description: 'make a key and print it, this once',
    options: [['--name <label>', 'whose it is, for your own memory'], DATA_OPTION],
    required: [
      ['--tenant <name>', 'whose collections it meets; `default` has those made without keys'],
      ['--scopes <scopes>', 'what it may do: read, write, admin, separated by commas'],
    ],
    run: async (flags: never) => (await import('./commands/keys.ts')).createKey(flags),
  },
  {
    group: 'keys',
    usage: 'list',
    description: 'list keys: id, tenant, scopes, when it was made, label',
    options: [DATA_OPTION],
    run: async (flags: never) => (await import('./commands/keys.ts')).listKeys(flags),
  },
  {
    group: 'keys',
    usage: 'revoke <id>',
    description: 'revoke a key, at once',
    options: [DATA_OPTION],
    run: async (id: never, flags: never) => (await import('./commands/keys.ts')).revokeKey(id, flags),
  },
  {
    usage: 'embed [inputs...]',
    description: 'print embeddings of texts and files as JSON lines',
    options: [
      ['--model <bundle>', 'bundle to embed with (default: models/onepeace-nano, env ONEPEACE_MODEL)'],
      ['--text <texts...>', 'texts that are texts whatever files there are'],
    ],
    run: async (inputs: never, flags: never) => (await import('./commands/embed.ts')).embed(inputs, flags),
  },
  {
    usage: 'mcp',
    description:
      'offer a running service to language models as tools, by the Model Context Protocol on stdin and stdout',
    options: [
      [
        '--url <address>',
        'address of the service (default: http://127.0.0.1:8080, env ONEPEACE_URL; key: ONEPEACE_API_KEY)',
      ],
      ['--allow-dir <dirs...>', 'folders whose files the tools may read; none by default'],
    ],
    run: async (flags: never) => (await import('./commands/mcp.ts')).mcp(flags),
  },
  {
    usage: 'convert <checkpoint>',
    description: 'make a bundle from an official checkpoint, with fine-tuned heads or of one head alone',
    options: [
      ['--head <name=checkpoint...>', 'fine-tuned checkpoint to add as a head (repeatable)'],
      ['--head-task <name=task...>', 'what a head is for, where its checkpoint does not say'],
      ['--bpe <dir>', 'folder of encoder.json, vocab.bpe and dict.txt'],
      ['--precision <fp32|fp16>', 'how weights are stored', 'fp32'],
      ['--image-size <pixels>', 'side of the square the pictures are resized to'],
      ['--name <name>', 'name of the model'],
      ['--licence <text>', 'licence and attribution of the weights'],
    ],
    required: [['--out <bundle>', 'folder to make']],
    run: async (checkpoint: never, flags: { imageSize?: string }) => {
      const { convert } = await import('./commands/convert.ts')
      return convert(checkpoint, { ...(flags as never as ConvertFlags), ...numberOf('imageSize', flags.imageSize) })
    },
  },
  {
    usage: 'verify <bundle> <goldens>',
    description: 'prove a bundle equal to the reference on a folder of golden data',
    options: [['--json', 'print the report as JSON']],
    required: [['--checkpoint <name>', 'which checkpoint of the goldens the bundle was made from']],
    run: async (bundle: never, goldens: never, flags: never) =>
      (await import('./commands/verify.ts')).verify(bundle, goldens, flags),
  },
  {
    usage: 'eval <benchmark>',
    description: "run a benchmark; `nano` is the default model's, over HTTP, on what it never saw",
    options: [
      ['--model <bundle>', 'bundle to measure (default: models/onepeace-nano, env ONEPEACE_MODEL)'],
      ['--material <dir>', 'what `python -m training.material.benchmark --out <dir>` wrote; more is measured with it'],
      ['--json', 'print the report as JSON'],
      ['--report <file>', 'put the report between the markers of a Markdown file, e.g. docs/nano.md'],
      ['--figures <dir>', 'draw the pictures of the model card into a folder, e.g. docs/nano'],
    ],
    run: async (benchmark: never, flags: never) => (await import('./commands/eval.ts')).evaluate(benchmark, flags),
  },
]

/** A numeric flag, if it was given. */
function numberOf<K extends string>(name: K, text: string | undefined): { [name in K]?: number } {
  return text === undefined ? {} : ({ [name]: Number(text) } as { [name in K]?: number })
}

/** Errors that are told by their message alone; of any other the stack is shown, for it is a defect. */
const TOLD_PLAINLY = [
  'ConfigError',
  'DataDirError',
  'BundleError',
  'CheckpointError',
  'ConvertError',
  'TensorMismatchError',
  'ModelConfigError',
  'DomainError',
  'KeysError',
  'GoldensError',
  'ReportError',
  'MaterialError',
  'FileRefusedError',
]

// Whoever read the output may stop reading (`onepeace serve | head -1`): what was asked for goes on all the same.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}

const program = new Command('onepeace').description('ONE-PEACE: one space for text, pictures and sounds')
const groups = new Map([['keys', program.command('keys').description('make, list and revoke the keys of the service')]])
for (const { group, usage, description, options, required = [], run } of COMMANDS) {
  const command = (group === undefined ? program : groups.get(group)!).command(usage).description(description)
  for (const [flags, text] of required) command.requiredOption(flags, text)
  for (const [flags, text, preset] of options) command.option(flags, text, preset)
  command.action(run as (...args: unknown[]) => Promise<void>)
}

try {
  await program.parseAsync()
} catch (error) {
  const plain = error instanceof Error && TOLD_PLAINLY.includes(error.name)
  console.error(plain ? `onepeace: ${error.message}` : error)
  process.exit(1)
}
