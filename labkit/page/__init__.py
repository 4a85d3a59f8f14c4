"""The generator in the page: what lets report.html compute the pictures itself, from a file, without a network.

Here: the export of trained networks, our JavaScript, and what is vendored for it. Not here: the report's own page
(`report`) and the editor in a notebook (`editor`).

The scripts import only from those to their left. What the reader does changes the state, in lab.js; view.js shows the
state in every part, and has it drawn.

    vectors, pictures, weights > search > engine > networks > lab > atlas, link, recipe > parts > draw, finder, tabs
    > stage, sliders, pad, walk, own, share > view, growth > start
"""
