/** `onepeace eval DATA-SET FOLDER`: a data set of the paper, asked of a service, with the paper's figures beside what is found. */
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { OnepeaceClient } from 'onepeace-client'
import { ConfigError } from '../config.ts'
import type { Asked, DataSet, Exam } from '../eval/data-sets/data-set.ts'
import { paperFigure } from '../eval/data-sets/paper.ts'
import { EvaluationError } from '../eval/evaluation-error.ts'
import type { Run } from '../eval/runs/collect.ts'
import { plotOf } from '../eval/runs/plot.ts'
import { asJson, cellsOf, HEADINGS, notesOf } from '../eval/runs/report.ts'
import type { Result } from '../eval/runs/result.ts'
import { answersNeeded, limited, settingOf, takeExam } from '../eval/runs/take-exam.ts'
import { WorkLog } from '../eval/runs/work-log.ts'
import { renderDrawing } from '../media/image.ts'
import { printJson } from '../terminal/print.ts'
import { Progress } from '../terminal/progress.ts'
import { asTable } from '../terminal/table.ts'
import { atSignal } from './at-signal.ts'
import { countOf } from './options.ts'
import { PATIENT, type ServiceFlags, withService } from './with-service.ts'

export interface DataSetFlags extends ServiceFlags {
  split?: string | undefined
  head?: string | undefined
  template?: string | undefined
  limit?: string | undefined
  skipMissing?: boolean | undefined
  work: string
  concurrency: string
  plot?: string | undefined
  json?: boolean | undefined
}

const MAX_LIMIT = 999_999_999
/** Of files that are missing, those that are named. */
const NAMED = 5

/** @throws ConfigError, EvaluationError, ServiceError */
export async function evaluateDataSet(dataSet: DataSet, folder: string, flags: DataSetFlags): Promise<void> {
  const { split = dataSet.splits[0], plot } = flags
  if (!dataSet.splits.includes(split)) {
    throw new ConfigError(`${dataSet.title} is read in the splits ${dataSet.splits.join(', ')}, not '${split}'.`)
  }
  if (plot !== undefined && !/\.(svg|png)$/.test(plot)) {
    throw new ConfigError(`--plot must end in .svg or .png, not as '${plot}' does.`)
  }
  const limit = flags.limit === undefined ? undefined : countOf('--limit', flags.limit, MAX_LIMIT)
  const dir = resolve(folder)
  const asked = await dataSet.read(dir, split)
  assertComplete(asked, flags)
  const exam = examOf(asked.exam, flags, limit)
  const result = await withService(flags, (client) => measured({ dataSet, split, dir, exam, client, flags }), PATIENT)
  result.leftOut.unshift(...asked.missing.map((file) => ({ file, reason: 'not there' })))
  if (plot !== undefined) {
    const svg = plotOf(result, dataSet.title)
    await writeFile(plot, plot.endsWith('.png') ? await renderDrawing(svg) : svg)
  }
  if (flags.json) return printJson(asJson(result, limit !== undefined))
  console.log(asTable(HEADINGS, result.rows.map(cellsOf)))
  for (const note of notesOf(result, limit !== undefined)) console.error(note)
}

function assertComplete({ missing }: Asked, { skipMissing }: DataSetFlags): void {
  if (missing.length === 0 || skipMissing) return
  const some = missing.slice(0, NAMED).join(', ')
  const count = missing.length === 1 ? 'A file' : `${missing.length} files`
  throw new EvaluationError(
    `${count} that the annotations name ${missing.length === 1 ? 'is' : 'are'} not there: ${some}${missing.length > NAMED ? ', …' : '.'} ` +
      'Get them, or say --skip-missing to measure without them: the figures are then not those of the data set.',
  )
}

function examOf(exam: Exam, { template, head }: DataSetFlags, limit: number | undefined): Exam {
  const cut = limit === undefined ? exam : limited(exam, limit)
  if (cut.task === 'retrieval' && head !== undefined) {
    throw new ConfigError('This data set is about embeddings, which no head makes: leave out --head.')
  }
  if (template === undefined) return cut
  if (cut.task !== 'classification' && cut.task !== 'tagging') {
    throw new ConfigError('--template is for classes asked zero-shot; this data set has none.')
  }
  if (!template.includes('{}')) throw new ConfigError('--template must hold {}, where the label goes.')
  return { ...cut, classes: { ...cut.classes, template } }
}

interface Measuring {
  dataSet: DataSet
  split: string
  dir: string
  exam: Exam
  client: OnepeaceClient
  flags: DataSetFlags
}

async function measured({ dataSet, split, dir, exam, client, flags }: Measuring): Promise<Result> {
  const { head } = flags
  const { data } = await client.models()
  const { id: name, sha256 } = data[0]!
  const log = await WorkLog.open(join(flags.work, logName(dataSet.name, sha256, head)))
  const { signal, release } = atSignal(
    new EvaluationError('Stopped. Run the same command again to go on where it was.'),
  )
  const bar = new Progress({ unit: 'answers', total: answersNeeded(exam, head) })
  let done = 0
  const run: Run = {
    client,
    log,
    dir,
    head,
    signal,
    concurrency: countOf('--concurrency', flags.concurrency, 64),
    skipsBad: flags.skipMissing ?? false,
    onProgress: (more) => {
      done += more
      bar.update(done)
    },
    leftOut: new Map(),
  }
  try {
    const rows = await takeExam(exam, run)
    const compared = rows.map((row) => {
      const paper = paperFigure(dataSet.name, split, row)
      return { ...row, ...(paper && { paper }) }
    })
    const setting = settingOf(exam, head)
    const leftOut = [...run.leftOut].map(([file, reason]) => ({ file, reason }))
    return { dataSet: dataSet.name, split, setting, model: { name, sha256 }, rows: compared, leftOut }
  } finally {
    bar.stop()
    release()
    await log.close()
  }
}

/** Another model, or another head of it, has another file. */
function logName(dataSet: string, sha256: string, head = ''): string {
  const about = createHash('sha256')
    .update(JSON.stringify([sha256, head]))
    .digest('hex')
  return `${dataSet}-${about.slice(0, 16)}.ndjson`
}
