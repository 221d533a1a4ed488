/** `onepeace eval`: the default model's benchmark, or a data set of the paper. Without a name it lists them. */
import { ConfigError } from '../config.ts'
import { DATA_SETS } from '../eval/data-sets/catalog.ts'
import { didYouMean } from '../terminal/closest.ts'
import { printJson } from '../terminal/print.ts'
import { asTable } from '../terminal/table.ts'
import type { DataSetFlags } from './eval-data-set.ts'
import type { NanoFlags } from './eval-nano.ts'

export type EvalFlags = NanoFlags & DataSetFlags

/** @throws ConfigError if there is no such benchmark, and what measuring throws */
export async function evaluate(name: string | undefined, dir: string | undefined, flags: EvalFlags): Promise<void> {
  if (name === undefined) return list(flags)
  if (name === 'nano') {
    if (dir !== undefined) throw new ConfigError('The benchmark nano makes its own data; it takes no folder.')
    refuse(flags, 'nano serves its model itself, and is asked as a whole', OF_DATA_SETS)
    return (await import('./eval-nano.ts')).evaluateNano(flags)
  }
  const dataSet = DATA_SETS.find((each) => each.name === name)
  const names = ['nano', ...DATA_SETS.map((each) => each.name)]
  if (!dataSet) {
    throw new ConfigError(`There is no benchmark '${name}'.${didYouMean(name, names)} There are: ${names.join(', ')}.`)
  }
  if (dir === undefined) {
    throw new ConfigError(
      `Name the folder of ${dataSet.title}: onepeace eval ${name} FOLDER. It holds ${dataSet.layout}.`,
    )
  }
  refuse(flags, 'the benchmark nano alone has such', OF_NANO)
  return (await import('./eval-data-set.ts')).evaluateDataSet(dataSet, dir, flags)
}

const OF_NANO = ['material', 'report', 'figures'] as const
const OF_DATA_SETS = ['split', 'head', 'template', 'limit', 'skipMissing', 'plot', 'url', 'data'] as const

/** A flag that would be ignored is a misunderstanding. */
function refuse(flags: EvalFlags, why: string, names: readonly (keyof EvalFlags)[]): void {
  const given = names.filter((name) => flags[name] !== undefined)
  if (given.length === 0) return
  const said = given.map((name) => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`).join(', ')
  throw new ConfigError(`Leave out ${said}: ${why}.`)
}

function list({ json }: { json?: boolean | undefined }): void {
  const rows = DATA_SETS.map(({ name, title, splits, layout }) => ({ name, title, splits, layout }))
  if (json) return void printJson(rows)
  const nano = ['nano', '', 'the default model, on what it never saw; makes its own data']
  const others = rows.map(({ name, splits, layout }) => [name, splits.join(', '), layout])
  console.log(asTable(['name', 'splits', 'its folder holds'], [nano, ...others]))
}
