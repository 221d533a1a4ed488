/** The labels of a head, from the file beside its checkpoint: `vqa.pt` has them in `vqa.labels.json`. */
import { readFile } from 'node:fs/promises'
import { ConvertError } from './convert-error.ts'

/** The labels file of a checkpoint. */
export const labelsPath = (checkpointPath: string): string =>
  `${checkpointPath.replace(/\.(pt|pth|safetensors)$/, '')}.labels.json`

/**
 * A JSON array of strings, or an object from class number to label as the official repository has it.
 * @returns nothing if there is no such file
 * @throws ConvertError if it is not that, or does not name each of the `classes` once
 */
export async function readLabels(checkpointPath: string, classes: number): Promise<string[] | undefined> {
  const path = labelsPath(checkpointPath)
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined
    throw new ConvertError(`The labels ${path} cannot be read: ${cause.message}.`, { cause })
  })
  if (text === undefined) return undefined
  const labels = listOf(parseJson(text, path))
  if (!labels) {
    throw new ConvertError(
      `${path} is neither a JSON array of strings nor an object that gives each class number from 0 its label.`,
    )
  }
  if (labels.length !== classes) {
    throw new ConvertError(`${path} has ${labels.length} labels, but the head has ${classes} classes.`)
  }
  return labels
}

function listOf(json: unknown): string[] | undefined {
  if (typeof json !== 'object' || json === null) return undefined
  const byClass = json as Record<string, unknown>
  const labels = Object.keys(byClass).map((_, index) => byClass[index])
  return labels.every((label) => typeof label === 'string') ? labels : undefined
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new ConvertError(`The labels ${path} are not valid JSON.`, { cause })
  }
}
