/** A collection that is not there, told with those that are. */
import { type OnepeaceClient, ProblemError } from 'onepeace-client'
import { didYouMean } from '../terminal/closest.ts'
import { ServiceError } from './service-error.ts'

/** @throws ServiceError if `ask` says that there is nothing of the name, and what else `ask` throws */
export async function namingCollections<T>(client: OnepeaceClient, name: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (!(error instanceof ProblemError) || error.code !== 'not-found') throw error
    const names = (await client.collections.list()).map((collection) => collection.name)
    if (names.includes(name)) throw error
    const known = names.length > 0 ? `There are: ${names.join(', ')}.` : '`onepeace import FOLDER` makes one.'
    throw new ServiceError(`There is no collection '${name}'. ${known}${didYouMean(name, names)}`, { cause: error })
  }
}
