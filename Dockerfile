# One image for every process of docker-compose.yml.
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1
WORKDIR /laurel

# Which build of PyTorch: point pip at one with PIP_EXTRA_INDEX_URL (see PyTorch's install page) and say
# TORCH=2.13.0+cpu for machines without a GPU; the default takes what pip finds.
ARG TORCH=2.13.0
ARG PIP_EXTRA_INDEX_URL
COPY requirements requirements
RUN pip install -c requirements/constraints.txt "torch==${TORCH}" \
    && pip install -c requirements/constraints.txt -r requirements/run.txt

COPY . .
RUN useradd --create-home laurel && mkdir /data && chown laurel: /data
USER laurel
ENV LAUREL_DATA_DIR=/data LAUREL_HOST=0.0.0.0 LAUREL_ENV=production
EXPOSE 8000
CMD ["gunicorn", "--config", "python:config.gunicorn", "config.wsgi"]
