/** Which of the model's heads serves a task. */
import type { HeadInfo } from '../encoder/encoder.ts'
import { DomainError } from '../errors.ts'

export interface HeadChoice {
  /** Which head; needed only where the model has several for the task. */
  head?: string | undefined
}

type Task = HeadInfo['task']

/**
 * The heads for one of the tasks, at least one; only the named one if the choice names one.
 * @throws DomainError `not-found` (no head of that name), `unsupported-by-model` (none for the task)
 */
export function headsFor(heads: readonly HeadInfo[], tasks: readonly Task[], { head }: HeadChoice): HeadInfo[] {
  const named = head === undefined ? heads : heads.filter(({ name }) => name === head)
  const has = heads.map(({ name, task }) => `${name} (${task})`).join(', ') || 'none'
  if (named.length === 0 && head !== undefined) {
    throw new DomainError('not-found', `The model has no head '${head}'; it has ${has}.`)
  }
  const able = named.filter(({ task }) => tasks.includes(task))
  if (able.length > 0) return able
  const what = head === undefined ? 'The model has no head' : `The head '${head}' is not`
  throw new DomainError('unsupported-by-model', `${what} for ${tasks.join(' or ')}; the heads: ${has}.`)
}

/** @throws DomainError `unprocessable-content` if there are several */
export function onlyHead(able: readonly HeadInfo[]): HeadInfo {
  const [head, ...others] = able as [HeadInfo, ...HeadInfo[]]
  if (others.length === 0) return head
  const names = able.map(({ name }) => name).join(', ')
  throw new DomainError('unprocessable-content', `The model has several heads for ${head.task}: ${names}. Name one.`)
}
