/** The executable: runs the command that was asked for, and tells what went wrong in a sentence. */
import { buildProgram } from './commands/program.ts'
import { versionOfProgram } from './commands/version.ts'
import { showsStacks } from './config.ts'

/** Errors that are told by their message alone; any other is a defect. */
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
  'ReembedError',
  'FileRefusedError',
  'ServiceError',
  'TransferError',
  'DownloadError',
  'EvaluationError',
]

/** What the system refused (no such file, no room) says itself what is wrong. */
function isPlain(error: unknown): error is Error {
  return error instanceof Error && (TOLD_PLAINLY.includes(error.name) || ('code' in error && 'syscall' in error))
}

// Whoever read the output may stop reading (`onepeace serve | head -1`): what was asked for goes on all the same.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}

try {
  await buildProgram(versionOfProgram()).parseAsync()
} catch (error) {
  if (showsStacks()) console.error(error)
  else if (isPlain(error)) console.error(`onepeace: ${error.message}`)
  else {
    console.error(`onepeace: ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`)
    console.error('That is a defect of onepeace; with ONEPEACE_LOG_LEVEL=debug it shows where.')
  }
  process.exit(1)
}
