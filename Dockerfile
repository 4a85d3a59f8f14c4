# The report, on a CPU and as nobody in particular: docker build -t gan-lab . && docker run --name lab gan-lab
# then docker cp lab:/lab/build/full/report.html . ; with --build-arg TORCH=cpu
# and --build-arg TORCH_INDEX=..., see docs/own-machine.md, torch without CUDA.
FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates make python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home reader \
    && install --directory --owner reader /lab
USER reader
WORKDIR /lab
ARG TORCH=cuda
ARG TORCH_INDEX=
ENV PIP_NO_CACHE_DIR=1
COPY --chown=reader Makefile README.md pyproject.toml requirements.lock ./
COPY --chown=reader labkit labkit
RUN make setup TORCH="$TORCH" TORCH_INDEX="$TORCH_INDEX"
COPY --chown=reader . .
RUN make data
CMD ["make", "report"]
