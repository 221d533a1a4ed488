/** The package's entry: runs in Node and in browsers. Files by their path are read by `onepeace-client/node`. */
export * from './client.ts'
export type { Collection, Collections, Metadata } from './collections.ts'
export type { Content, FilePart, Input, Media, Part } from './content.ts'
export type { components, paths } from './contract.ts'
export * from './errors.ts'
export type { BatchResult, Filter, Item, Items, ListOptions, NewItem } from './items.ts'
export type { ItemAt, Job, JobError, Jobs, WaitOptions } from './jobs.ts'
export type { ClientOptions, RequestOptions, WriteOptions } from './transport.ts'
