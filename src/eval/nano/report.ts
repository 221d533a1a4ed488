/** What the benchmark found, as a table for the terminal and as Markdown for the model card. */
import { readFile, writeFile } from 'node:fs/promises'
import type { Figure } from '../metrics.ts'

export interface Row {
  /** e.g. `text → image` */
  task: string
  /** Absent for the task as a whole; else which part of it, e.g. a voice, a kind of question. */
  part?: string
  /** What is searched or asked, and what of it is new to the model. */
  setting: string
  /** Number of queries, questions, phrases or pictures. */
  trials: number
  figures: Figure[]
}

export interface NotMeasured {
  task: string
  reason: string
}

export interface Measured {
  rows: Row[]
  notMeasured: NotMeasured[]
}

export interface BenchmarkReport extends Measured {
  /** Name and content hash of the bundle. */
  model: { name: string; sha256: string }
}

const BEGIN = '<!-- onepeace eval nano: begin (made by the command; do not edit) -->'
const END = '<!-- onepeace eval nano: end -->'

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`
const bare = (share: number): string => (100 * share).toFixed(1)
const titleOf = ({ task, part }: Row): string => (part === undefined ? task : `${task}: ${part}`)

/** For the terminal: a row a line, its figures below. */
export function asText({ rows, notMeasured }: BenchmarkReport): string {
  const lines = rows.flatMap((row) => [
    `${titleOf(row)}  (${row.setting}; n = ${row.trials})`,
    ...row.figures.map(({ measure, value, interval: [low, high], chance }) => {
      const guess = chance === undefined ? '' : `   chance ${percent(chance)}`
      return `  ${measure.padEnd(10)} ${percent(value).padStart(7)}   95 %: ${bare(low)} to ${percent(high)}${guess}`
    }),
  ])
  return [...lines, ...notMeasured.map(({ task, reason }) => `NOT MEASURED  ${task}: ${reason}`)].join('\n')
}

/** A drawn figure, its path as seen from the Markdown file. */
export interface Image {
  path: string
  alt: string
}

/** For the model card: a table of retrieval, a table of answers, a list of what could not be measured, pictures. */
export function asMarkdown({ model, rows, notMeasured }: BenchmarkReport, images: readonly Image[] = []): string {
  const isRetrieval = (row: Row) => row.figures.every(({ measure }) => measure.startsWith('R@'))
  const retrieval = rows.filter(isRetrieval)
  const answers = rows.filter((row) => !isRetrieval(row))
  const parts = [
    `Bundle \`${model.name}\`, content hash \`${model.sha256.slice(0, 12)}\`. In brackets the 95 % interval.`,
  ]
  if (retrieval.length > 0) parts.push(retrievalTable(retrieval))
  if (answers.length > 0) parts.push(answersTable(answers))
  if (notMeasured.length > 0) {
    parts.push(['Not measured:', '', ...notMeasured.map(({ task, reason }) => `- **${task}**: ${reason}`)].join('\n'))
  }
  parts.push(...images.map(({ path, alt }) => `![${alt}](${path})`))
  return parts.join('\n\n')
}

function retrievalTable(rows: readonly Row[]): string {
  const measures = rows[0]!.figures.map(({ measure }) => measure)
  const lines = rows.map((row) => [
    markdownTitle(row),
    row.setting,
    `${row.trials}`,
    ...row.figures.map(cell),
    row.figures.map(({ chance }) => bare(chance ?? 0)).join(' / '),
  ])
  return table(['retrieval', 'among', 'queries', ...measures, 'chance, %'], lines)
}

function answersTable(rows: readonly Row[]): string {
  const lines = rows.flatMap((row) =>
    row.figures.map((figure) => [
      markdownTitle(row),
      row.setting,
      `${row.trials}`,
      figure.measure,
      cell(figure),
      figure.chance === undefined ? '–' : percent(figure.chance),
    ]),
  )
  return table(['task', 'on', 'n', 'measure', 'value', 'chance'], lines)
}

const markdownTitle = ({ task, part }: Row): string => (part === undefined ? `**${task}**` : `${task}: ${part}`)

const cell = ({ value, interval: [low, high] }: Figure): string => `${percent(value)} (${bare(low)}–${bare(high)})`

function table(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [row(head), row(head.map(() => '---')), ...lines.map(row)].join('\n')
}

/** Tasks that a model card tells of, measured or not, in order and each once. */
export function tasksOf(markdown: string): string[] {
  const told = between(markdown).matchAll(/^(?:\| |- )\*\*(.+?)\*\*/gm)
  return [...new Set([...told].map(([, task]) => task!))]
}

/** Puts the report between the markers of a Markdown file; a file that is not there is made. @throws ReportError without markers */
export async function writeReport(file: string, report: BenchmarkReport, images: readonly Image[] = []): Promise<void> {
  const old = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return `${BEGIN}\n${END}\n`
    throw error
  })
  await writeFile(file, withReport(old, report, images))
}

/** @throws ReportError if the text has no markers */
export function withReport(markdown: string, report: BenchmarkReport, images: readonly Image[] = []): string {
  const [before, , after] = cut(markdown)
  return `${before}${BEGIN}\n\n${asMarkdown(report, images)}\n\n${END}${after}`
}

export class ReportError extends Error {
  override name = 'ReportError'
}

const between = (markdown: string): string => cut(markdown)[1]

function cut(markdown: string): [before: string, told: string, after: string] {
  const begin = markdown.indexOf(BEGIN)
  const end = markdown.indexOf(END)
  if (begin < 0 || end < begin)
    throw new ReportError(`The file lacks the lines '${BEGIN}' and '${END}', in this order.`)
  return [markdown.slice(0, begin), markdown.slice(begin + BEGIN.length, end), markdown.slice(end + END.length)]
}
