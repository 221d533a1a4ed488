/** The tables of docs/scale.md, from inputs.json. `--write` puts them there; `--inputs FILE` takes other inputs. */
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import {
  aloneMs,
  bottleneckOf,
  dollarsPerMillion,
  flopsOf,
  inputsPerSecond,
  monthlyDollars,
  QUANTIZATIONS,
  storeFor,
  vectorBytes,
} from './model.mjs'

const SIZES = [1e5, 1e6, 1e7, 1e8, 1e9]
const MODALITIES = ['text', 'image', 'audio']
const PAGE = new URL('../../docs/scale.md', import.meta.url)
const BEGIN = '<!-- deploy/capacity/scale.mjs: begin (made by the command; do not edit) -->'
const END = '<!-- deploy/capacity/scale.mjs: end -->'

const { values } = parseArgs({ options: { write: { type: 'boolean' }, inputs: { type: 'string' } } })
const inputs = JSON.parse(readFileSync(values.inputs ?? new URL('./inputs.json', import.meta.url), 'utf8'))
const kinds = [...Object.keys(inputs.encoders.peakTflops), 'function']

/** Three significant digits, thousands by commas. */
function number(value) {
  const rounded = Number(value.toPrecision(3))
  return rounded >= 1000 ? rounded.toLocaleString('en-US') : String(rounded)
}
const dollars = (value) => `$${number(value)}`
const items = (value) => `10^${Math.log10(value)}`

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n')
}

const named = (kind) => (kind === 'function' ? 'function, 10 GB, int8' : kind)

const sections = [
  `One input through its branch: ${MODALITIES.map((m) => `${m} ${number(flopsOf(inputs.model, m) / 1e12)} TFLOP`).join(', ')}.`,
  '### Encoders',
  table(
    ['encoder', 'one text alone, ms', ...MODALITIES.flatMap((m) => [`${m}/s`, `$ a million`])],
    kinds.map((kind) => [
      named(kind),
      number(aloneMs(inputs, kind, 'text')),
      ...MODALITIES.flatMap((m) => [
        number(inputsPerSecond(inputs, kind, m)),
        dollars(dollarsPerMillion(inputs, kind, m)),
      ]),
    ]),
  ),
  '### Encoder hours of the first fill, pictures',
  table(
    ['items', ...kinds.map(named)],
    SIZES.map((size) => [
      items(size),
      ...kinds.map((kind) => number(size / inputsPerSecond(inputs, kind, 'image') / 3600)),
    ]),
  ),
  '### The vector store',
  `Bytes of a vector in memory: ${QUANTIZATIONS.map((q) => `${q} ${number(vectorBytes(inputs, q).memoryBytes)}`).join(', ')}.`,
  table(
    ['items', ...QUANTIZATIONS.flatMap((q) => [`${q}: GB in memory`, 'shards', 'searches/s'])],
    SIZES.map((size) => [
      items(size),
      ...QUANTIZATIONS.flatMap((q) => {
        const store = storeFor(inputs, size, q)
        return [number(store.memoryGb), number(store.shards), number(store.searchesPerSecond)]
      }),
    ]),
  ),
  '### A month, with ten million searches by words',
  table(
    ['items', 'quantisation', 'store', 'originals', 'text on an L4', 'in all', 'what gives out first'],
    SIZES.map((size) => {
      const [quantization, why] = bottleneckOf(inputs, size)
      const month = monthlyDollars(inputs, size, quantization, 'L4', 1e7)
      const all = month.store + month.originals + month.queries
      return [
        items(size),
        quantization,
        dollars(month.store),
        dollars(month.originals),
        dollars(month.queries),
        dollars(all),
        why,
      ]
    }),
  ),
]

const made = `${BEGIN}\n\n${sections.join('\n\n')}\n\n${END}`
if (!values.write) console.log(made)
else {
  const page = readFileSync(PAGE, 'utf8')
  const [before, after] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (before < 0 || after < 0)
    throw new Error(`docs/scale.md has no place for the tables, between ${BEGIN} and ${END}.`)
  writeFileSync(PAGE, page.slice(0, before) + made + page.slice(after + END.length))
}
