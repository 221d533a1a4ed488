/** Questions to the model about single things. */
import { type CommandEntry, JSON_OUT, MODEL, SERVICE } from './entry.ts'

const area = 'Ask the model'

export const ASKING_COMMANDS: readonly CommandEntry[] = [
  {
    area,
    usage: 'classify <input>',
    description: 'tell which of some labels fits a picture, sound or text, or the classes of a fine-tuned head',
    examples: [
      'classify photo.jpg --labels dog,cat,horse',
      "classify bark.wav --labels dog,cat --template 'the sound of a {}'",
      'classify photo.jpg --head picture-class --json',
    ],
    options: [
      ['--labels <names>', 'what it may be, separated by commas'],
      ['--template <words>', 'sentence around a label, with {} in its place'],
      ['--head <name>', "one of the model's heads, in place of labels"],
      JSON_OUT,
      ...SERVICE,
    ],
    run: async (input: never, flags: never) => (await import('../classify.ts')).classify(input, flags),
  },
  {
    area,
    usage: 'ground <picture> <phrases...>',
    description: 'tell where in a picture something is: a box a phrase',
    details: 'Needs a model with a grounding head; corners are in pixels of the picture as a viewer shows it.',
    examples: ["ground street.jpg 'the red car' 'a dog' --out boxes.png --url http://127.0.0.1:8080"],
    options: [
      ['--out <picture>', 'draw the boxes into a copy (.png, .jpg or .webp)'],
      ['--head <name>', 'which grounding head, where the model has several'],
      JSON_OUT,
      ...SERVICE,
    ],
    run: async (picture: never, phrases: never, flags: never) =>
      (await import('../ground.ts')).ground(picture, phrases, flags),
  },
  {
    area,
    usage: 'embed [inputs...]',
    description: 'print embeddings of texts and files as JSON lines',
    examples: ["embed 'a dog' photo.jpg bark.wav", "embed --text 'photo.jpg is a text here'"],
    options: [MODEL, ['--text <texts...>', 'texts that are texts whatever files there are']],
    run: async (inputs: never, flags: never) => (await import('../embed.ts')).embed(inputs, flags),
  },
]
