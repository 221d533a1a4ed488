/** Models: how one comes to be, and how good it is. */
import type { ConvertFlags } from '../convert.ts'
import { type CommandEntry, JSON_OUT, type Option, SERVICE } from './entry.ts'

const area = 'Models'

/** Measurements print their figures themselves. */
const JSON_LIST: Option = ['--json', 'print the list as JSON']

export const MODEL_COMMANDS: readonly CommandEntry[] = [
  {
    area,
    usage: 'pull [names...]',
    description: 'download official checkpoints and dictionaries, or any file by its address; without names, list them',
    details:
      'A download that broke off goes on where it was when the command is run again. The SHA-256 is compared where one is ' +
      'known, and printed always: none is published for the checkpoints.',
    examples: ['pull', 'pull one-peace bpe --out checkpoints', 'pull https://models.example/one-peace.pt --sha256 HEX'],
    options: [
      ['--out <dir>', 'folder to put files into', 'checkpoints'],
      ['--sha256 <hex>', 'what the SHA-256 of the one file must be'],
      JSON_OUT,
    ],
    run: async (names: never, flags: never) => (await import('../pull.ts')).pull(names, flags),
  },
  {
    area,
    usage: 'convert <checkpoint>',
    description: 'make a bundle from an official checkpoint, with fine-tuned heads or of one head alone',
    examples: [
      'convert checkpoints/one-peace.pt --bpe checkpoints --out models/one-peace --precision int8',
      'convert checkpoints/one-peace.pt --bpe checkpoints --branches text,image --precision auto --out models/pictures',
      'convert checkpoints/one-peace.pt --bpe checkpoints --head refcoco=checkpoints/finetune_refcoco.pt --out models/one-peace',
    ],
    options: [
      ['--head <name=checkpoint...>', 'fine-tuned checkpoint to add as a head (repeatable)'],
      ['--head-task <name=task...>', 'what a head is for, where its checkpoint does not say'],
      ['--bpe <dir>', 'folder of encoder.json, vocab.bpe and dict.txt'],
      [
        '--precision <precision>',
        'how weights are stored: fp32, fp16, int8, int8-block, int4; `auto` chooses by size, device and memory',
        'fp32',
      ],
      ['--device <cpu|gpu>', 'for which device `--precision auto` chooses', 'cpu'],
      ['--branches <names>', 'only these of text,image,audio'],
      ['--image-size <pixels>', 'side of the square the pictures are resized to'],
      ['--name <name>', 'name of the model'],
      ['--licence <text>', 'licence and attribution of the weights'],
      JSON_OUT,
    ],
    required: [['--out <bundle>', 'folder to make']],
    run: async (checkpoint: never, flags: { imageSize?: string }) => {
      const { convert } = await import('../convert.ts')
      return convert(checkpoint, { ...(flags as never as ConvertFlags), ...numberOf('imageSize', flags.imageSize) })
    },
  },
  {
    area,
    usage: 'verify <bundle> <goldens>',
    description: 'prove a bundle equal to the reference on a folder of golden data',
    examples: ['verify models/one-peace goldens --checkpoint pretrain'],
    options: [JSON_OUT],
    required: [['--checkpoint <name>', 'which checkpoint of the goldens the bundle was made from']],
    run: async (bundle: never, goldens: never, flags: never) =>
      (await import('../verify.ts')).verify(bundle, goldens, flags),
  },
  {
    area,
    usage: 'eval [benchmark] [folder]',
    description: "measure a model on the paper's data sets, or the default one on its own; without a name, list them",
    details:
      "Reads a data set's own annotation files and prints the paper's metrics beside the paper's figures. What is answered is " +
      'kept in --work, so that after an interruption the same command goes on. `nano` is the default model on what it never ' +
      'saw; it takes no folder.',
    examples: [
      'eval',
      'eval coco ~/data/coco --plot coco.svg',
      'eval refcoco ~/data/refcoco --split testA --head refcoco --url http://127.0.0.1:8080',
      'eval esc50 ~/data/ESC-50 --limit 200 --json',
      'eval nano',
    ],
    options: [
      ['--split <name>', 'part of the data set; each has one that is taken where none is named'],
      ['--head <name>', "one of the model's heads; without one, classes are asked zero-shot"],
      ['--template <words>', 'zero-shot: sentence around a label, with {} in its place'],
      ['--limit <number>', 'only the first files or questions, for a quick look'],
      ['--skip-missing', 'go on without files that are not there or cannot be read; the figures then say so'],
      ['--work <dir>', 'folder that keeps what is answered', 'eval'],
      ['--concurrency <number>', 'requests at once', '8'],
      ['--plot <file>', 'draw the figures, .svg or .png'],
      JSON_OUT,
      ...SERVICE,
      [
        '--material <dir>',
        'nano: what `python -m training.material.benchmark --out <dir>` wrote; more is measured with it',
      ],
      ['--report <file>', 'nano: put the report between the markers of a Markdown file, e.g. docs/nano.md'],
      ['--figures <dir>', 'nano: draw the pictures of the model card into a folder, e.g. docs/nano'],
    ],
    run: async (benchmark: never, folder: never, flags: never) =>
      (await import('../eval.ts')).evaluate(benchmark, folder, flags),
  },
  {
    area,
    usage: 'bench [name] [args...]',
    description: 'run a measurement of bench/ by its name; without one, list them',
    examples: ['bench', 'bench encode-one', 'bench load 2'],
    options: [JSON_LIST],
    run: async (name: never, args: never, flags: never) => (await import('../bench.ts')).bench(name, args, flags),
  },
]

/** A numeric flag, if it was given. */
function numberOf<K extends string>(name: K, text: string | undefined): { [name in K]?: number } {
  return text === undefined ? {} : ({ [name]: Number(text) } as { [name in K]?: number })
}
