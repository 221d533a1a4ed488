/** Which of some labels fits: zero-shot, by a head, or as the answer to a question. */
import { useState } from 'preact/hooks'
import type { Schemas } from '../../api/call.ts'
import { askCall, headCall, zeroShotCall } from '../../api/calls.ts'
import type { Content } from '../../logic/parts.ts'
import { listOf } from '../../logic/words.ts'
import { Bars } from '../../ui/bars.tsx'
import { CopyAs } from '../../ui/copy-as.tsx'
import { useAsk } from '../../ui/hooks.ts'
import { ProblemNote } from '../../ui/problem.tsx'

const SUGGESTED = {
  image: 'cat, dog, bird, flower, pizza, car, house',
  audio: 'rain, bell, siren, engine, whistle, drum',
  text: 'animal, food, vehicle, weather',
  file: 'cat, dog, rain, bell',
}
const BEST = 6

export function LabelsPanel({ subject }: { subject: Content }) {
  const [labels, setLabels] = useState(SUGGESTED[subject.kind])
  const [template, setTemplate] = useState('')
  const [asking, ask] = useAsk<Schemas['ClassifyResponse']>()
  const list = listOf(labels)
  return (
    <form
      class="panel"
      aria-label="Labels"
      onSubmit={(event) => {
        event.preventDefault()
        void ask(zeroShotCall(subject, list, template.trim()))
      }}
    >
      <h2>Labels</h2>
      <p class="small muted">Any words, never trained on: the nearest in the space wins.</p>
      <label class="field">
        Labels, between commas
        <textarea rows={2} value={labels} onInput={(event) => setLabels(event.currentTarget.value)} />
      </label>
      <label class="field">
        Sentence around each (optional)
        <input
          type="text"
          placeholder={
            { image: 'a photo of a {}', audio: 'This is a sound of {}', text: '{}', file: '{}' }[subject.kind]
          }
          value={template}
          onInput={(event) => setTemplate(event.currentTarget.value)}
        />
      </label>
      <div class="row">
        <button type="submit" class="primary" disabled={list.length === 0 || asking.state === 'busy'}>
          Rank them
        </button>
        <CopyAs call={asking.call} />
      </div>
      {asking.error && <ProblemNote error={asking.error} />}
      {asking.answer && (
        <Bars
          label="Labels, best first"
          rows={asking.answer.results.map(({ label, probability, score }) => ({
            label,
            share: probability,
            note: `cos ${score.toFixed(3)}`,
          }))}
        />
      )}
    </form>
  )
}

export function HeadPanel({ subject, head }: { subject: Content; head: Schemas['HeadDetail'] }) {
  const [asking, ask] = useAsk<Schemas['ClassifyResponse']>()
  return (
    <section class="panel" aria-label={head.name}>
      <h2>{head.name}</h2>
      <p class="small muted">
        A fine-tuned head of {head.classes} classes{head.labels ? `: ${head.labels.slice(0, 6).join(', ')}…` : '.'}
      </p>
      <div class="row">
        <button type="button" disabled={asking.state === 'busy'} onClick={() => ask(headCall(subject, head.name))}>
          Ask it
        </button>
        <CopyAs call={asking.call} />
      </div>
      {asking.error && <ProblemNote error={asking.error} />}
      {asking.answer && (
        <Bars
          label={`Classes of ${head.name}, best first`}
          rows={asking.answer.results.slice(0, BEST).map(({ label, probability }) => ({ label, share: probability }))}
        />
      )}
    </section>
  )
}

export function AskPanel({ subject, heads }: { subject: Content; heads: Schemas['HeadDetail'][] }) {
  const [question, setQuestion] = useState('')
  const [candidates, setCandidates] = useState('')
  const [asking, ask] = useAsk<Schemas['AskResponse']>()
  const needsCandidates = heads.every(({ task }) => task === 'answer-choice')
  const list = listOf(candidates)
  return (
    <form
      class="panel"
      aria-label="Question"
      onSubmit={(event) => {
        event.preventDefault()
        void ask(askCall(subject, question.trim(), list))
      }}
    >
      <h2>Question</h2>
      <label class="field">
        Question
        <input type="text" value={question} onInput={(event) => setQuestion(event.currentTarget.value)} />
      </label>
      <label class="field">
        Answers to choose from, between commas{needsCandidates ? '' : ' (optional)'}
        <input type="text" value={candidates} onInput={(event) => setCandidates(event.currentTarget.value)} />
      </label>
      <div class="row">
        <button
          type="submit"
          class="primary"
          disabled={question.trim() === '' || (needsCandidates && list.length === 0) || asking.state === 'busy'}
        >
          Ask
        </button>
        <CopyAs call={asking.call} />
      </div>
      {asking.error && <ProblemNote error={asking.error} />}
      {asking.answer && (
        <Bars
          label="Answers, best first"
          rows={asking.answer.answers.slice(0, BEST).map(({ answer, score }) => ({ label: answer, share: score }))}
        />
      )}
    </form>
  )
}
