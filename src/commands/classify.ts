/** `onepeace classify`: which label fits a picture, sound or text. */

import { ConfigError } from '../config.ts'
import { printJson } from '../terminal/print.ts'
import { asBar, asTable } from '../terminal/table.ts'
import { fileOrText } from './contents.ts'
import { listOf } from './options.ts'
import { type ServiceFlags, withService } from './with-service.ts'

export interface ClassifyFlags extends ServiceFlags {
  /** Separated by commas. */
  labels?: string | undefined
  /** A fine-tuned head of the model, in place of labels. */
  head?: string | undefined
  template?: string | undefined
  json?: boolean | undefined
}

/** Of a head's hundreds of classes, those that are shown. */
const SHOWN = 20

/** @throws ConfigError, ServiceError */
export async function classify(argument: string, flags: ClassifyFlags): Promise<void> {
  const { head, template, json } = flags
  if ((flags.labels === undefined) === (head === undefined)) {
    throw new ConfigError(
      'Say either --labels dog,cat,… or --head NAME; `curl …/v1/models` lists the heads of the model.',
    )
  }
  const labels = flags.labels === undefined ? {} : { labels: listOf(flags.labels) }
  const input = await fileOrText(argument)
  const options = { ...labels, ...(head !== undefined && { head }), ...(template !== undefined && { template }) }
  await withService(flags, async (client) => {
    const response = await client.classify(input, options)
    if (json) return void printJson(response)
    const rows = response.results.slice(0, SHOWN).map(({ label, probability, score }) => {
      const percent = `${(probability * 100).toFixed(1)} %`.padStart(7)
      return [label, asBar(probability), percent, score.toFixed(3)]
    })
    console.log(asTable(['label', '', 'probability', 'score'], rows))
  })
}
