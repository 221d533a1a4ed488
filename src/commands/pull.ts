/** `onepeace pull`: official checkpoints and dictionaries, or any file by its address. */
import { join } from 'node:path'
import { ConfigError } from '../config.ts'
import { DownloadError, download } from '../download/download.ts'
import { OFFICIAL, type OfficialFile } from '../download/official.ts'
import { didYouMean } from '../terminal/closest.ts'
import { printJson } from '../terminal/print.ts'
import { Progress } from '../terminal/progress.ts'
import { asBytes, asTable } from '../terminal/table.ts'
import { atSignal } from './at-signal.ts'

export interface PullFlags {
  /** Folder to put files into. */
  out: string
  sha256?: string | undefined
  json?: boolean | undefined
}

/** Without names, lists those there are. @throws ConfigError, DownloadError */
export async function pull(names: readonly string[], flags: PullFlags): Promise<void> {
  if (names.length === 0) return list(flags)
  const files = names.flatMap(filesOf)
  const { sha256 } = flags
  if (sha256 !== undefined && (files.length !== 1 || !/^[0-9a-f]{64}$/i.test(sha256))) {
    throw new ConfigError('--sha256 is 64 hex digits, and for one file.')
  }
  const pulled = []
  for (const file of files)
    pulled.push(await pullOne({ ...file, ...(sha256 && { sha256: sha256.toLowerCase() }) }, flags))
  if (flags.json) printJson(pulled)
}

function list({ json }: PullFlags): void {
  if (json) printJson(OFFICIAL)
  else
    console.log(
      asTable(
        ['name', 'what it is'],
        OFFICIAL.map(({ name, what }) => [name, what]),
      ),
    )
}

function filesOf(name: string): readonly OfficialFile[] {
  const known = OFFICIAL.find((official) => official.name === name)
  if (known) return known.files
  if (URL.canParse(name) && /^https?:$/.test(new URL(name).protocol)) return [{ url: name }]
  const names = OFFICIAL.map((official) => official.name)
  throw new ConfigError(
    `There is nothing named '${name}'; \`onepeace pull\` lists what there is.${didYouMean(name, names)}`,
  )
}

async function pullOne({ url, sha256 }: OfficialFile, { out, json }: PullFlags) {
  const path = join(out, fileNameOf(url))
  let bar: Progress | undefined
  const onProgress = (bytes: number, total: number | undefined) => {
    if (total === undefined) return
    bar ??= new Progress({ unit: 'bytes', total, before: bytes })
    bar.update(bytes)
  }
  const { signal, release } = atSignal('Stopping.')
  const got = await download(url, path, { sha256, onProgress, signal })
    .catch((error: unknown) => {
      throw signal.aborted ? new DownloadError('Stopped; the same command goes on from here.') : error
    })
    .finally(() => {
      bar?.stop()
      release()
    })
  const checked = sha256 === undefined ? 'not compared: none is published' : 'as it should be'
  const there = got.wasThere ? 'is there already' : 'is here'
  if (!json) console.log(`${path} ${there}: ${asBytes(got.bytes)}, SHA-256 ${got.sha256} (${checked}).`)
  return { url, path, ...got }
}

/** The last part of the address, which must be a plain name. @throws ConfigError */
function fileNameOf(url: string): string {
  const last = new URL(url).pathname.split('/').at(-1) ?? ''
  const name = decodeURIComponent(last)
  if (/^[\w+.-]+$/.test(name) && !/^\.+$/.test(name)) return name
  throw new ConfigError(`The address ${url} does not end in a file name.`)
}
