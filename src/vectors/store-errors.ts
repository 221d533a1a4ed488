/** What both adapters say when a collection is not there, or the store cannot be used. */
import { DomainError } from '../errors.ts'

const RETRY_AFTER_S = 5

export function noSuchCollection(name: string): DomainError {
  return new DomainError('not-found', `There is no collection '${name}'.`)
}

/** Any failure as a DomainError: those that are one stay what they are. */
export function unavailable(
  error: unknown,
  sentence = 'The vector store could not be read or written; try again shortly.',
): DomainError {
  if (error instanceof DomainError) return error
  return new DomainError('vector-store-unavailable', sentence, { cause: error, retryAfterS: RETRY_AFTER_S })
}

/** @throws DomainError for whatever the task throws */
export async function guarded<T>(task: () => Promise<T>): Promise<T> {
  try {
    return await task()
  } catch (error) {
    throw unavailable(error)
  }
}
