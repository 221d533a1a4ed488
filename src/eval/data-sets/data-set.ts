/** What a data set asks of a model, whatever its files look like. Paths are absolute. */
import type { Box } from '../metrics.ts'

export type MediaKind = 'image' | 'audio'

/** Media, each with one text or several: each is to find the other. */
export interface Retrieval {
  task: 'retrieval'
  kind: MediaKind
  media: string[]
  /** `of`: index of the medium that the text describes. */
  texts: { text: string; of: number }[]
}

/** Media of one class each. */
export interface Classification {
  task: 'classification'
  kind: MediaKind
  media: { path: string; label: number }[]
  classes: Classes
}

/** Media of any number of classes each. */
export interface Tagging {
  task: 'tagging'
  kind: MediaKind
  media: { path: string; labels: number[] }[]
  classes: Classes
}

export interface Classes {
  /** In words, as a sentence would have them. */
  labels: readonly string[]
  /** Sentence around a label for zero-shot classification, `{}` in its place. */
  template: string
  /** Whether their order is the data set's own, so that a head without labels can be understood. */
  isOrdered: boolean
}

/** A question about a medium with some answers, one of them right. */
export interface Choice {
  task: 'choice'
  kind: MediaKind
  cases: { path: string; question: string; candidates: string[]; answer: number }[]
}

/** Where in a picture what a phrase says is. */
export interface Grounding {
  task: 'grounding'
  /** Box in pixels of the picture. */
  cases: { path: string; phrase: string; box: Box }[]
}

export type Exam = Retrieval | Classification | Tagging | Choice | Grounding

export interface Asked {
  exam: Exam
  /** Media that the annotations name and the folder has not: their questions are not in the exam. */
  missing: string[]
}

/** A data set that can be read. */
export interface DataSet {
  /** As the command takes it. */
  name: string
  /** As the paper has it. */
  title: string
  /** The first one is read where none is named. */
  splits: readonly [string, ...string[]]
  /** What its folder must hold, for people. */
  layout: string
  /** @throws EvaluationError where the folder does not hold that */
  read(dir: string, split: string): Promise<Asked>
}
