/** Where jobs wait, and who does them: composed for `serve`, which does them itself on one machine, and for `onepeace worker`. */
import type { Config } from '../config.ts'
import { Gate } from '../gate.ts'
import { lineFormat } from '../http/import-line.ts'
import type { Metrics } from '../http/metrics.ts'
import { Contract } from '../http/openapi.ts'
import type { AppDeps } from '../http/route.ts'
import type { JobRecords } from '../jobs/job-records.ts'
import { JournalQueue } from '../queue/journal-queue.ts'
import { NoQueue } from '../queue/no-queue.ts'
import { QUEUE_OPTIONS, type Queue } from '../queue/queue.ts'
import { JobKeeper } from '../services/job-keeper.ts'
import { JobWorker } from '../services/job-worker.ts'
import { type LineFormat, PartRunner } from '../services/part-runner.ts'
import type { DataDir } from './data-dir.ts'

/** Engines are loaded only where they are used. @param data where this process alone keeps things */
export async function openQueue(
  { queueUrl: url }: Pick<Config, 'queueUrl'>,
  data: Pick<DataDir, 'queueDir'> | undefined,
  options = QUEUE_OPTIONS,
): Promise<Queue> {
  if (url === undefined) return data ? JournalQueue.open(data.queueDir, options) : new NoQueue()
  if (/^rediss?:/.test(url)) {
    const { RedisQueue } = await import('../queue/redis-queue.ts')
    return new RedisQueue({ ...options, url, onError: tellError })
  }
  const { SqsQueue } = await import('../queue/sqs-queue.ts')
  return new SqsQueue({ ...options, url })
}

export interface JobWorkDeps {
  records: JobRecords
  queue: Queue
  services: Pick<AppDeps, 'forTenant' | 'embed' | 'models'>
  metrics: Metrics
  keepMs: number
  linesAtOnce: number
}

/** Lines at once where requests are answered beside them, and where nothing else is done. */
export const LINES_BESIDE_REQUESTS = 16
export const LINES_OF_A_WORKER = 64
/** While the last lines of one part are done, the first of the next are. */
const PARTS_AT_ONCE = 2

/** Takes parts of jobs and does them, and sees to it that jobs end, until `stop`. */
export function startJobWork(deps: JobWorkDeps): { stop(): Promise<void> } {
  const { records, queue, services, metrics, keepMs, linesAtOnce } = deps
  const runner = new PartRunner({
    records,
    format: lazily(() => lineFormat(new Contract())),
    items: (tenant) => services.forTenant(tenant).items,
    embed: services.embed,
    ready: () => services.models.ready(),
    model: services.models.info.name,
    gate: new Gate(linesAtOnce),
    onLine: metrics.jobLineEnded,
    onError: tellError,
  })
  const worker = new JobWorker({ records, queue, runner, partsAtOnce: PARTS_AT_ONCE, onError: tellError })
  const keeper = new JobKeeper({ records, queue, keepMs, onError: tellError })
  worker.start()
  keeper.start()
  return { stop: async () => void (await Promise.all([worker.stop(), keeper.stop()])) }
}

/** The contract is compiled with the first line, which most services never see. */
function lazily(make: () => LineFormat): LineFormat {
  let made: LineFormat | undefined
  const format = () => {
    made ??= make()
    return made
  }
  return { read: (line, caller) => format().read(line, caller), failureOf: (error) => format().failureOf(error) }
}

let lastTold = ''

/** A queue that cannot be reached says so every few seconds: the same is told once. */
function tellError(error: unknown): void {
  const text =
    error instanceof Error ? `${error.message}${error.cause ? ` (${String(error.cause)})` : ''}` : String(error)
  if (text === lastTold) return
  lastTold = text
  console.error(`onepeace: jobs: ${text}`)
}
